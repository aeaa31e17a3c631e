package command

import (
	"container/list"
	"sync"
)

// recent keeps the values used last, up to a number. It is safe for concurrent use.
type recent[K comparable, V any] struct {
	mu    sync.Mutex
	most  int
	order *list.List // newest use first
	byKey map[K]*list.Element
}

type entry[K comparable, V any] struct {
	key   K
	value V
}

func newRecent[K comparable, V any](most int) *recent[K, V] {
	return &recent[K, V]{most: most, order: list.New(), byKey: make(map[K]*list.Element)}
}

func (r *recent[K, V]) get(key K) (value V, ok bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	el := r.byKey[key]
	if el == nil {
		return value, false
	}
	r.order.MoveToFront(el)
	return el.Value.(*entry[K, V]).value, true
}

func (r *recent[K, V]) put(key K, value V) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.set(key, value)
}

// getOr gives the value of key, or keeps what create makes; first says that it did.
func (r *recent[K, V]) getOr(key K, create func() V) (value V, first bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if el := r.byKey[key]; el != nil {
		r.order.MoveToFront(el)
		return el.Value.(*entry[K, V]).value, false
	}
	value = create()
	r.set(key, value)
	return value, true
}

func (r *recent[K, V]) drop(key K) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if el := r.byKey[key]; el != nil {
		r.order.Remove(el)
		delete(r.byKey, key)
	}
}

// set needs the lock.
func (r *recent[K, V]) set(key K, value V) {
	if el := r.byKey[key]; el != nil {
		el.Value.(*entry[K, V]).value = value
		r.order.MoveToFront(el)
		return
	}
	r.byKey[key] = r.order.PushFront(&entry[K, V]{key, value})
	if r.order.Len() > r.most {
		oldest := r.order.Back()
		r.order.Remove(oldest)
		delete(r.byKey, oldest.Value.(*entry[K, V]).key)
	}
}
