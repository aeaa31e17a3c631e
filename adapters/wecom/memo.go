package wecom

import (
	"encoding/binary"
	"hash/maphash"
	"sync"

	"weeklybot/bot"
)

// memo remembers the last rendered texts: a digest goes to thousands of channels, and rendering a full part costs more than all the
// rest of a post. It keeps texts, no Messages, and is safe for concurrent use.
type memo struct {
	seeds [2]maphash.Seed
	mu    sync.Mutex
	texts map[memoKey]string
}

// memoKey is a 128 bit hash of all that a text is made from; the seeds are random, so that nobody can write two equal ones.
type memoKey [2]uint64

// maxMemo is how many texts are kept, of at most 20 KB each.
const maxMemo = 256

func newMemo() *memo {
	return &memo{seeds: [2]maphash.Seed{maphash.MakeSeed(), maphash.MakeSeed()}, texts: map[memoKey]string{}}
}

// text is make's result for this message, remembered.
func (m *memo) text(kind bot.Kind, p bot.Post, make func() string) string {
	key := m.key(kind, p)
	m.mu.Lock()
	text, ok := m.texts[key]
	m.mu.Unlock()
	if ok {
		return text
	}
	text = make()
	m.mu.Lock()
	defer m.mu.Unlock()
	if len(m.texts) >= maxMemo {
		clear(m.texts)
	}
	m.texts[key] = text
	return text
}

func (m *memo) key(kind bot.Kind, p bot.Post) (key memoKey) {
	for k, seed := range m.seeds {
		var h maphash.Hash
		h.SetSeed(seed)
		writeInts(&h, p.Part, p.Parts)
		writeTexts(&h, string(kind), p.Message.Title, p.Message.Notice, p.Message.Lang)
		for _, b := range p.Message.Blocks {
			writeInts(&h, b.Level, len(b.Links))
			writeTexts(&h, string(b.Kind), b.Text, b.Title, b.URL)
			for _, l := range b.Links {
				writeTexts(&h, l.Text, l.URL)
			}
		}
		key[k] = h.Sum64()
	}
	return key
}

// writeTexts writes each text with its length, so that no text can run into the next.
func writeTexts(h *maphash.Hash, texts ...string) {
	for _, s := range texts {
		writeInts(h, len(s))
		h.WriteString(s)
	}
}

func writeInts(h *maphash.Hash, ints ...int) {
	var buf [8]byte
	for _, n := range ints {
		binary.LittleEndian.PutUint64(buf[:], uint64(n))
		h.Write(buf[:])
	}
}
