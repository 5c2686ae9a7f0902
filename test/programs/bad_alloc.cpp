// bad_alloc N: a vector of N doubles; std::bad_alloc ends the program by SIGABRT
#include <cstdlib>
#include <vector>
int main(int, char **argv) {
  std::vector<double> values;
  values.resize(std::strtoull(argv[1], nullptr, 10));
  return static_cast<int>(values[0]);
}
