// Figures: qualified name, kind, lines, cyclomatic, cognitive, nesting, parameters, fan-out.
#include <vector>

namespace one::two {

template <typename T>
class Box : public Base {
 public:
  //> one::two::Box::Box method 3 1 0 0 1 1
  explicit Box(T value) : value_(value), other_{1} {
    init();
  }
  //> one::two::Box::~Box method 1 1 0 0 0 0
  ~Box() {}
  Box(const Box&) = delete;
  //> one::two::Box::operator== method 3 2 1 0 1 0
  bool operator==(const Box& other) const noexcept {
    return value_ == other.value_ && other_ == other.other_;
  }
  //> one::two::Box::operator bool method 1 1 0 0 0 0
  operator bool() const { return true; }
  //> one::two::Box::size method 3 2 2 0 1 1
  auto size(int depth = 0) const -> int {
    return depth ? size(depth - 1) : 0;
  }

 private:
  T value_;
  struct Inner {
    //> one::two::Box::Inner::get method 1 1 0 0 0 0
    int get() { return 1; }
  };
};

}  // namespace one::two

//> Widget::paint method 16 9 11 2 1 4
void Widget::paint(std::vector<int>&& items, ...) {
  for (const auto& item : items) {
    if (item and ready() or !item) continue;
  }
  auto show = [this](int n) {
    // cognitive: for 1, if 2, and 1, or 1, ternary in a lambda 2, catch 1, if 2, catch 1
    return n ? 1 : 2;
  };
  try {
    show(1);
  } catch (const std::exception& error) {
    if (error.what()) throw;
  } catch (...) {
    delete new Widget(1);
  }
}

//> pick function 4 2 1 1 1 0
template <class T> requires Small<T> && Fast<T>
T pick(T a) {
  if constexpr (sizeof(T) > 4) return a;
  return T{};
}
