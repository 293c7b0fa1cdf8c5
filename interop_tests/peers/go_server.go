// grpc.testing.TestService on grpc-go, with its own HTTP/2: a peer of the interop cases.
//
//	go_server PORT
//
// Prints `listening on 127.0.0.1:PORT`; SIGTERM ends it. Written for grpc-go 1.33, and built by
// ../matrix/peers.py against what protoc generates from proto/test_service.proto.
//
// It answers compressed what came compressed, as grpc-go 1.33 always does: response_compressed is ignored.
package main

import (
	"context"
	"fmt"
	"io"
	"log"
	"net"
	"os"
	"os/signal"
	"syscall"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	_ "google.golang.org/grpc/encoding/gzip" // takes gzip
	"google.golang.org/grpc/health"
	healthpb "google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/stats"
	"google.golang.org/grpc/status"

	pb "predial/testservice"
)

const (
	initialKey  = "x-grpc-test-echo-initial"
	trailingKey = "x-grpc-test-echo-trailing-bin"
)

// lengths tells handlers whether the message that they got last came compressed. grpc-go does not
// show the flag, but how long each message was on the wire and how long it is. (A message that gzip
// makes neither shorter nor longer would be taken for one that was not compressed.)
type lengths struct{}

// What the RPC's context has under lengthsKey; written before the handler gets the message.
type received struct{ compressed bool }

type lengthsKey struct{}

const frameHeader = 5 // versions differ in whether it belongs to WireLength

func (lengths) TagRPC(ctx context.Context, _ *stats.RPCTagInfo) context.Context {
	return context.WithValue(ctx, lengthsKey{}, &received{})
}

func (lengths) HandleRPC(ctx context.Context, event stats.RPCStats) {
	if in, ok := event.(*stats.InPayload); ok {
		ctx.Value(lengthsKey{}).(*received).compressed =
			in.WireLength != in.Length && in.WireLength != in.Length+frameHeader
	}
}

func (lengths) TagConn(ctx context.Context, _ *stats.ConnTagInfo) context.Context { return ctx }
func (lengths) HandleConn(context.Context, stats.ConnStats)                       {}

func checkCompressed(ctx context.Context, expected *pb.BoolValue) error {
	compressed := ctx.Value(lengthsKey{}).(*received).compressed
	if expected == nil || expected.GetValue() == compressed {
		return nil
	}
	return status.Errorf(codes.InvalidArgument, "expect_compressed is %t, the message was not so",
		expected.GetValue())
}

// echoed is the metadata that the caller wants back: at the beginning, and at the end.
func echoed(ctx context.Context) (initial, trailing metadata.MD) {
	initial, trailing = metadata.MD{}, metadata.MD{}
	if sent, ok := metadata.FromIncomingContext(ctx); ok {
		initial.Append(initialKey, sent.Get(initialKey)...)
		trailing.Append(trailingKey, sent.Get(trailingKey)...)
	}
	return initial, trailing
}

func asked(wanted *pb.EchoStatus) error {
	if wanted.GetCode() == 0 {
		return nil
	}
	return status.Error(codes.Code(wanted.GetCode()), wanted.GetMessage())
}

func payload(size int32) *pb.Payload {
	return &pb.Payload{Body: make([]byte, size)}
}

type server struct {
	*pb.UnimplementedTestServiceServer // answers UnimplementedCall
}

func (server) EmptyCall(ctx context.Context, _ *pb.Empty) (*pb.Empty, error) {
	initial, trailing := echoed(ctx)
	grpc.SetHeader(ctx, initial)
	grpc.SetTrailer(ctx, trailing)
	return &pb.Empty{}, nil
}

func (server) UnaryCall(ctx context.Context, request *pb.SimpleRequest) (*pb.SimpleResponse, error) {
	if err := checkCompressed(ctx, request.GetExpectCompressed()); err != nil {
		return nil, err
	}
	initial, trailing := echoed(ctx)
	grpc.SetHeader(ctx, initial)
	grpc.SetTrailer(ctx, trailing)
	if err := asked(request.GetResponseStatus()); err != nil {
		return nil, err
	}
	return &pb.SimpleResponse{Payload: payload(request.GetResponseSize())}, nil
}

func (server) StreamingInputCall(stream pb.TestService_StreamingInputCallServer) error {
	var sum int32
	for {
		request, err := stream.Recv()
		if err == io.EOF {
			return stream.SendAndClose(&pb.StreamingInputCallResponse{AggregatedPayloadSize: sum})
		}
		if err != nil {
			return err
		}
		if err := checkCompressed(stream.Context(), request.GetExpectCompressed()); err != nil {
			return err
		}
		sum += int32(len(request.GetPayload().GetBody()))
	}
}

// sender is what the streams of responses have in common.
type sender interface {
	Send(*pb.StreamingOutputCallResponse) error
	Context() context.Context
}

// answer sends what `request` asks for, and returns the status that it asks for.
func answer(stream sender, request *pb.StreamingOutputCallRequest) error {
	for _, wanted := range request.GetResponseParameters() {
		select {
		case <-time.After(time.Duration(wanted.GetIntervalUs()) * time.Microsecond):
		case <-stream.Context().Done():
			return stream.Context().Err()
		}
		err := stream.Send(&pb.StreamingOutputCallResponse{Payload: payload(wanted.GetSize())})
		if err != nil {
			return err
		}
	}
	return asked(request.GetResponseStatus())
}

func (server) StreamingOutputCall(request *pb.StreamingOutputCallRequest,
	stream pb.TestService_StreamingOutputCallServer) error {
	return answer(stream, request)
}

func (server) FullDuplexCall(stream pb.TestService_FullDuplexCallServer) error {
	initial, trailing := echoed(stream.Context())
	stream.SetHeader(initial)
	stream.SetTrailer(trailing)
	for {
		request, err := stream.Recv()
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
		if err := answer(stream, request); err != nil {
			return err
		}
	}
}

func (server) HalfDuplexCall(stream pb.TestService_HalfDuplexCallServer) error {
	var requests []*pb.StreamingOutputCallRequest
	for {
		request, err := stream.Recv()
		if err == io.EOF {
			break
		}
		if err != nil {
			return err
		}
		requests = append(requests, request)
	}
	for _, request := range requests {
		if err := answer(stream, request); err != nil {
			return err
		}
	}
	return nil
}

func main() {
	if len(os.Args) != 2 {
		log.Fatal("go_server PORT")
	}
	listener, err := net.Listen("tcp", "127.0.0.1:"+os.Args[1])
	if err != nil {
		log.Fatal(err)
	}
	grpcServer := grpc.NewServer(grpc.StatsHandler(lengths{}))
	pb.RegisterTestServiceServer(grpcServer, server{})
	healthpb.RegisterHealthServer(grpcServer, health.NewServer())
	ending := make(chan os.Signal, 1)
	signal.Notify(ending, syscall.SIGTERM)
	go func() {
		<-ending
		grpcServer.Stop()
	}()
	fmt.Printf("listening on %v\n", listener.Addr())
	if err := grpcServer.Serve(listener); err != nil {
		log.Fatal(err)
	}
}
