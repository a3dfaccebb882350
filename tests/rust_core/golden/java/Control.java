// Figures: qualified name, kind, lines, cyclomatic, cognitive, nesting, parameters, fan-out.
package golden;

/**
 * A class.
 */
public class Control<T extends Comparable<T>> {
  //> Control.Control method 3 1 0 0 1 1
  Control(int size) {
    super();
  }

  //> Control.branches method 13 6 9 3 2 2
  @Deprecated
  public int branches(int a, String... b) throws Exception {
    if (a > 0 && b != null)
      return a;
    else if (a < 0)
      throw new Exception();
    else {
      for (String one : b)
        if (one.isEmpty())
          return 1;
      // cognitive: if 1, && 1, else if 1, else 1, for 2, if 3
    }
    return 0;
  }

  //> Control.loops method 16 6 11 3 0 2
  void loops() {
    outer:
    for (int i = 0; ; i++) {
      do {
        while (true) {
          break outer;
        }
      } while (i < 1);
    }
    try (var a = open()) {
      loops();
    } catch (RuntimeException | Error e) {
      int n = e == null ? 1 : 2;
    }
    // cognitive: for 1, do 2, while 3, break label 1, recursion 1, catch 1, ternary 2
  }

  //> Control.switches method 12 5 2 1 1 1
  int switches(Object a) {
    int n = switch (a) {
      case String s when s.isEmpty() -> 1;
      case Integer i -> 2;
      default -> 0;
    };
    switch (n) {
      case 1: case 2:
        return 1;
    }
    return n;
  }

  //> Control.lambdas method 10 3 5 1 1 3
  //> Control.lambdas.run method 3 2 1 1 0 0
  void lambdas(List<?> list) {
    list.forEach(one -> {
      if (one != null || list == null) show(one);
    });
    Runnable r = new Runnable() {
      public void run() {
        while (true) {}
      }
    };
  }

  interface Shape {
    double area();
    //> Control.Shape.twice method 1 1 0 0 0 1
    default double twice() { return 2 * area(); }
  }

  record Point(int x, int y) {
    //> Control.Point.Point method 3 2 1 1 0 0
    Point {
      if (x < 0) x = 0;
    }
  }

  enum Kind {
    A {
      //> Control.Kind.label method 1 1 0 0 0 0
      String label() { return "a"; }
    };
    abstract String label();
  }
}
