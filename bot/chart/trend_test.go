package chart

import (
	"bytes"
	"flag"
	"image"
	"image/png"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

var update = flag.Bool("update", false, "rewrite golden files")

var newest = time.Date(2026, 11, 16, 0, 0, 0, 0, time.UTC)

// maxBytes is what a picture may cost a chat.
const maxBytes = 30 << 10

// weeksOf is n weeks of made-up numbers that rise.
func weeksOf(n int) []int {
	weeks := make([]int, n)
	for k := range weeks {
		weeks[k] = (k*k*7 + k) % 23 * k / n
	}
	return weeks
}

func quiet() []int {
	weeks := make([]int, MaxWeeks)
	weeks[44], weeks[300] = 123456, 1
	return weeks
}

func TestTrendGolden(t *testing.T) {
	for _, c := range []struct {
		name  string
		weeks []int
		opt   Options
	}{
		{"half_a_year", weeksOf(26), Options{Newest: newest}},
		{"two_years", weeksOf(104), Options{PerBar: 2, Newest: newest}},
		{"one_old_peak", quiet(), Options{PerBar: 10, Newest: newest}},
		{"nothing", make([]int, 26), Options{Newest: newest}},
		{"one_week", []int{1}, Options{}},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, err := Trend(c.weeks, c.opt)
			if err != nil {
				t.Fatal(err)
			}
			again, _ := Trend(c.weeks, c.opt)
			if !bytes.Equal(got, again) {
				t.Error("the same numbers give other bytes")
			}
			if len(got) > maxBytes {
				t.Errorf("%d bytes, want at most %d", len(got), maxBytes)
			}
			path := filepath.Join("testdata", c.name+".png")
			if *update {
				if err := os.WriteFile(path, got, 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			if n := different(decode(t, got), decode(t, want)); n > 0 {
				t.Errorf("%d pixels are not as in %s (accept with: go test . -update, then look at it)", n, path)
			}
		})
	}
}

func decode(t *testing.T, data []byte) *image.Paletted {
	t.Helper()
	img, err := png.Decode(bytes.NewReader(data))
	if err != nil {
		t.Fatal(err)
	}
	paletted, ok := img.(*image.Paletted)
	if !ok || paletted.Rect != image.Rect(0, 0, Width, Height) {
		t.Fatalf("%T of %v, want %d × %d pixels with a palette", img, img.Bounds(), Width, Height)
	}
	return paletted
}

// different counts the pixels that are further apart than one shade: floating point differs between processors.
func different(a, b *image.Paletted) (n int) {
	for k := range a.Pix {
		if d := int(a.Pix[k]) - int(b.Pix[k]); d < -1 || d > 1 {
			n++
		}
	}
	return n
}

// TestTrendBars reads the picture as a person does: where the bars are, and how high.
func TestTrendBars(t *testing.T) {
	data, err := Trend([]int{0, 4, 2, 0, 1}, Options{Newest: newest})
	if err != nil {
		t.Fatal(err)
	}
	img := decode(t, data)
	var heights []int
	before := 0
	for x := range Width {
		height := 0
		for y := range Height {
			if img.ColorIndexAt(x, y) == index(inkBar, shades) {
				height++
			}
		}
		if before == 0 && height > 0 {
			heights = append(heights, 0)
		}
		if height > 0 {
			heights[len(heights)-1] = max(heights[len(heights)-1], height)
		}
		before = height
	}
	if len(heights) != 3 {
		t.Fatalf("bars of heights %v, want three", heights)
	}
	for k, want := range []int{250, 125, 62} { // of 4, 2 and 1
		if d := heights[k] - want; d < -2 || d > 2 {
			t.Errorf("bar %d is %d pixels high, want about %d: heights are in proportion", k, heights[k], want)
		}
	}
}

func TestTrendRefuses(t *testing.T) {
	for name, c := range map[string]struct {
		weeks []int
		opt   Options
	}{
		"no weeks":        {nil, Options{}},
		"too many weeks":  {make([]int, MaxWeeks+1), Options{PerBar: 10}},
		"too many bars":   {make([]int, 61), Options{}},
		"negative":        {[]int{1, -1}, Options{}},
		"too large":       {[]int{1_000_000}, Options{}},
		"too large a sum": {[]int{999_999, 1}, Options{PerBar: 2}},
	} {
		if data, err := Trend(c.weeks, c.opt); err == nil || data != nil {
			t.Errorf("%s: Trend gave %d bytes, %v; want an error", name, len(data), err)
		}
	}
}

func TestBars(t *testing.T) {
	for _, c := range []struct {
		weeks  []int
		perBar int
		want   []int
	}{
		{[]int{1, 2, 3, 4}, 2, []int{3, 7}},
		{[]int{1, 2, 3, 4, 5}, 2, []int{1, 5, 9}},
		{[]int{1, 2, 3}, 0, []int{1, 2, 3}},
		{[]int{1, 2, 3}, 10, []int{6}},
		{nil, 2, []int{}},
	} {
		if diff := cmp.Diff(c.want, Bars(c.weeks, c.perBar)); diff != "" {
			t.Errorf("Bars(%v, %d) (-want +got):\n%s", c.weeks, c.perBar, diff)
		}
	}
}

func TestFit(t *testing.T) {
	for _, c := range []struct{ last, weeks, perBar int }{{0, 26, 1}, {25, 26, 1}, {26, 104, 2}, {103, 104, 2}, {104, 520, 10}, {519, 520, 10}, {-1, 0, 0}} {
		weeks := make([]int, MaxWeeks)
		if c.last >= 0 {
			weeks[MaxWeeks-1-c.last] = 1
		}
		shown, perBar := Fit(weeks)
		if len(shown) != c.weeks || perBar != c.perBar {
			t.Errorf("last named %d weeks ago: %d weeks, %d to a bar; want %d, %d", c.last, len(shown), perBar, c.weeks, c.perBar)
		}
	}
	if shown, _ := Fit([]int{0, 3}); !slices.Equal(shown, []int{0, 3}) {
		t.Errorf("Fit of two weeks = %v", shown)
	}
}

func TestScale(t *testing.T) {
	for peak := range 5000 {
		ceiling, step := scale(peak)
		if lines := ceiling / step; ceiling < peak || ceiling%step != 0 || lines < 2 || lines > 4 {
			t.Fatalf("scale(%d) = %d in steps of %d", peak, ceiling, step)
		}
	}
}

// FuzzTrend looks for numbers that Trend takes and cannot show.
func FuzzTrend(f *testing.F) {
	f.Add([]byte{1, 2, 3}, uint8(1), true)
	f.Add(bytes.Repeat([]byte{255}, 520), uint8(10), false)
	f.Fuzz(func(t *testing.T, numbers []byte, perBar uint8, dated bool) {
		weeks := make([]int, len(numbers))
		for k, n := range numbers {
			weeks[k] = int(n) * int(n) * int(n) / 100
		}
		opt := Options{PerBar: int(perBar)}
		if dated {
			opt.Newest = newest
		}
		data, err := Trend(weeks, opt)
		if err != nil {
			return
		}
		decode(t, data)
		if len(data) > maxBytes {
			t.Errorf("%d bytes for %v", len(data), weeks)
		}
	})
}

func BenchmarkTrend(b *testing.B) {
	weeks := weeksOf(104)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := Trend(weeks, Options{PerBar: 2, Newest: newest}); err != nil {
			b.Fatal(err)
		}
	}
}
