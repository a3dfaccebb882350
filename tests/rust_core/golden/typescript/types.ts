//> Box.constructor method 1 1 0 0 2 0
//> Box.of method 3 1 0 0 1 1
//> Box.get method 5 3 1 1 2 0
abstract class Box<T extends object> {
  constructor(private readonly value: T, public name?: string) {}
  static of<U extends object>(value: U): Box<U> {
    return new Plain(value);
  }
  abstract size(): number;
  @memo() get(this: Box<T>, key: keyof T, other?: T[keyof T]): T[keyof T] | undefined {
    if (key) return this.value[key];
    // A conditional type is no branch, an optional parameter neither.
    return (other as T extends string ? T[keyof T] : never) ?? undefined;
  }
}

//> shapes.area function 8 5 3 1 1 1
namespace shapes {
  export type Shape = { kind: "circle"; r: number } | { kind: "square"; side: number };
  export function area(shape: Shape = unit()): number {
    switch (shape.kind) {
      case "circle":
        return Math.PI * shape.r ** 2;
      case "square":
        return shape.side > 0 ? shape.side ** 2 : 0;
    }
  }
}

declare function ambient(a: number): void;

//> overloaded function 3 3 3 2 1 0
function overloaded(a: string): string;
function overloaded(a: number): number;
function overloaded(a: any): any {
  for (;;) if (a satisfies any) break;
}

//> guard function 1 1 0 0 1 0
const guard = (a: unknown): a is string => typeof a === "string";
