//! Figures: qualified name, kind, lines, cyclomatic, cognitive, nesting, parameters, fan-out.

//> plain function 3 1 0 0 0 1
pub fn plain() {
    println!("a && b || c");
}

//> branches function 11 6 9 2 2 0
fn branches(a: Option<u32>, b: u32) -> u32 {
    if let Some(n) = a {
        n
    } else if b > 1 && b < 5 {
        b
    } else {
        let Some(_n) = a else { return 0 };
        // cognitive: if 1, else if 1, && 1, else 1, let else 2, if 2, else 1
        if b == 0 { 1 } else { 2 }
    }
}

//> loops function 13 3 10 3 1 1
fn loops(list: &[u32]) {
    'outer: loop {
        for item in list {
            while let Some(_) = next() {
                continue 'outer;
            }
            break;
        }
        // cognitive: loop 1, for 2, while 3, continue label 1, break label 1, closure holding a match 2
        break 'outer;
    }
    let _ = |n: u32| match n { _ => 0 };
}

//> matches function 9 6 4 2 1 3
fn matches(a: Result<u32, String>) -> Result<u32, String> {
    match a? {
        0 | 1 => Ok(0),
        n if n > 5 || n == 3 => Ok(n),
        _ => match 0 {
            _ => Err(String::new()),
        },
    }
}

struct Stack<T>(Vec<T>);

//> Stack::push method 3 1 0 0 2 1
//> Stack::drain method 5 2 2 1 1 3
impl<T> Stack<T> {
    pub const fn push(&mut self, item: T) {
        self.0.push(item);
    }
    async fn drain(&mut self) {
        while self.0.pop().is_some() {
        }
        self.drain();
    }
}

//> Walk::step method 1 1 0 0 1 0
//> Walk::steps method 3 2 2 1 2 1
trait Walk {
    fn go(&self);
    fn step(&self) {}
    fn steps(&self, n: u32) {
        if n > 0 { self.steps(n - 1) }
    }
}

mod inner {
    //> inner::outer function 6 2 1 0 0 1
    //> inner::outer::nested closure 3 1 0 0 1 0
    pub fn outer() {
        fn nested(a: bool) -> bool {
            a
        }
        let _ = nested(true && false);
    }
}
