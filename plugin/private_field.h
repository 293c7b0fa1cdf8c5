// PrivateField: names a private member of a class of gRPC's, the one way that C++ has: an explicit
// instantiation may.
//
//   struct SizeField {
//     using Type = int Box::*;
//     friend Type FieldOf(SizeField);
//   };
//   template struct PrivateField<SizeField, &Box::size_>;
//   … box.*FieldOf(SizeField())
//
// The field's struct belongs right into namespace predial. In .cc files only, for what gRPC has no
// public way to. A version of gRPC that has no such member does not compile.
#pragma once

namespace predial {

template <typename Field, typename Field::Type kMember>
struct PrivateField {
  friend typename Field::Type FieldOf(Field) { return kMember; }
};

}  // namespace predial
