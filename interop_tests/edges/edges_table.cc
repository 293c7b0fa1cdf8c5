// Runs all edges over an ordinary channel and a pool, and prints what became of them:
//
//   bazel run --config=system //interop_tests/edges:edges_table
//   bazel run --config=system //interop_tests/edges:edges_table -- --into "$PWD/docs/interop.md"
#include <fstream>
#include <iostream>
#include <iterator>
#include <string>

#include "interop_tests/edges/edge_table.h"
#include "interop_tests/edges/edges.h"

int main(int argc, char** argv) {
  const bool into = argc == 3 && std::string(argv[1]) == "--into";
  if (argc != 1 && !into) {
    std::cerr << "usage: edges_table [--into FILE]\n";
    return 2;
  }
  const std::string table = predial::EdgeTable(predial::AllEdges());
  if (!into) {
    std::cout << table;
    return 0;
  }
  std::ifstream file(argv[2]);
  const std::string document(std::istreambuf_iterator<char>(file), {});
  const auto changed = predial::WithTable(document, table);
  if (!changed.ok()) {
    std::cerr << argv[2] << ": " << changed.status() << "\n";
    return 1;
  }
  std::ofstream out(argv[2], std::ios::trunc);
  out << *changed;
  out.close();
  return out.good() ? 0 : 1;
}
