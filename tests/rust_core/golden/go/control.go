// Figures: qualified name, kind, lines, cyclomatic, cognitive, nesting, parameters, fan-out.
package golden

//> branches function 10 5 5 1 3 2
func branches(a, b int, list ...string) (int, error) {
	if n := len(list); n > 0 && a > 0 {
		return n, nil
	} else if b > 0 {
		return b, nil
	} else {
		defer recover()
	}
	return map[bool]int{a > 0 || b > 0: 1}[true], nil
}

//> Stack.loops method 15 5 10 3 1 1
func (s *Stack[T]) loops(n int) {
outer:
	for i := 0; i < n; i++ {
		for range s.items {
			if i > 1 {
				continue outer
			}
			// cognitive: for 1, for 2, if 3, continue label 1, goto 1, recursion 1, for 1
			goto outer
		}
	}
	for {
		s.loops(n)
	}
}

//> switches function 19 6 4 2 2 2
func switches(value any, events chan int) int {
	switch value.(type) {
	case int, string:
		return 1
	case nil:
		switch {
		case cap(events) > 1:
			return 2
		default:
		}
	}
	select {
	case <-events:
	case events <- 1:
		fallthrough_()
	}
	// cognitive: switch 1, switch 2, select 1
	return 3
}

//> literals function 8 1 2 0 0 0
//> literals.named closure 1 1 0 0 1 0
//> literals.<anonymous> closure 5 2 1 1 0 1
func literals() {
	named := func(int) {}
	go func() {
		if true {
			named(1)
		}
	}()
}

type handler interface {
	serve(a int, b string) error
}

//> Plain.serve method 1 1 0 0 2 0
func (Plain) serve(int, string) error { return nil }
