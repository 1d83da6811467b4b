package core

// Borrow takes what a room needs for the length of a call from those that were
// given back to the turn, or makes one. Calls may be nested: the inner one gets
// another.
func Borrow[T any](t *Turn) *T {
	for i := len(t.spares) - 1; i >= 0; i-- {
		if x, ok := t.spares[i].(*T); ok {
			last := len(t.spares) - 1
			t.spares[i], t.spares[last] = t.spares[last], nil
			t.spares = t.spares[:last]
			return x
		}
	}
	return new(T)
}

// GiveBack lets the next Borrow have x, a pointer. What a call that panicked has
// borrowed is lost.
func (t *Turn) GiveBack(x any) { t.spares = append(t.spares, x) }
