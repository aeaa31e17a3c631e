// Package chart draws how often a topic appears as a small picture for chats and pages. It is pure: the same numbers give the same
// bytes. (Another processor's floating point may shade the rim of a digit one step darker.) It refuses to draw words: there is no font
// in it but digits, so the topic and the sentence stand in the message beside the picture, in the reader's language.
//
// Its functions are safe for concurrent use.
package chart

import (
	"bytes"
	"fmt"
	"image"
	"image/png"
	"slices"
	"strconv"
	"time"
)

// MaxWeeks is the most that one picture or one line shows.
const MaxWeeks = 520

// Size of a picture in pixels: 360 × 180 points on a phone, whose screens have at least two pixels to a point. Chats show pictures about
// that large (DingTalk at most 358 × 350 points, Slack 360 wide, read 2026-11).
const (
	Width  = 720
	Height = 360
)

// maxBars keeps a bar and the gap beside it visible.
const maxBars = 60

// Options say what a picture is about.
type Options struct {
	PerBar int       // weeks that one bar stands for; 0 = 1
	Newest time.Time // last day of the last week; zero = no dates below the bars
}

// A span is how far back a trend looks, and how many weeks one bar stands for.
type span struct{ weeks, perBar int }

// spans are tried in order: a topic that has been quiet lately is shown over years.
var spans = []span{{26, 1}, {104, 2}, {MaxWeeks, 10}}

// Fit cuts weeks, the oldest first, to the shortest span that has anything in it: half a year, two years, ten years. perBar is how many
// weeks one bar should stand for then. Without any number but 0 it gives nothing.
func Fit(weeks []int) (shown []int, perBar int) {
	for _, s := range spans {
		shown = weeks[max(0, len(weeks)-s.weeks):]
		if slices.ContainsFunc(shown, func(n int) bool { return n > 0 }) {
			return shown, s.perBar
		}
	}
	return nil, 0
}

// Bars adds up weeks, perBar (at least 1) to a bar. The newest week ends the last bar; the first may stand for fewer weeks.
func Bars(weeks []int, perBar int) []int {
	perBar = max(1, perBar)
	bars := make([]int, (len(weeks)+perBar-1)/perBar)
	for k, n := range weeks {
		bars[len(bars)-1-(len(weeks)-1-k)/perBar] += n
	}
	return bars
}

// Trend draws numbers of weeks, the oldest first, as bars in a PNG. It refuses no weeks, more than MaxWeeks, a negative number, and
// more bars than can be told apart (a larger PerBar helps).
func Trend(weeks []int, opt Options) ([]byte, error) {
	perBar := max(1, opt.PerBar)
	bars := Bars(weeks, perBar)
	switch {
	case len(weeks) == 0 || len(weeks) > MaxWeeks:
		return nil, fmt.Errorf("chart of %d weeks: want 1 to %d", len(weeks), MaxWeeks)
	case slices.Min(weeks) < 0 || slices.Max(bars) > maxCount:
		return nil, fmt.Errorf("chart of numbers from %d to %d: want 0 to %d", slices.Min(weeks), slices.Max(bars), maxCount)
	case len(bars) > maxBars:
		return nil, fmt.Errorf("chart of %d bars: want at most %d, or more weeks to a bar", len(bars), maxBars)
	}
	img := draw(bars, perBar, opt.Newest)
	var out bytes.Buffer
	err := png.Encode(&out, img) // the best compression takes ten times as long and saves nothing
	return out.Bytes(), err
}

// maxCount is the largest number that has room beside the axis.
const maxCount = 999_999

// Places in the picture, in pixels.
const (
	margin    = 20
	top       = 56  // above the highest bar: room for its number
	bottom    = 306 // the line that bars stand on
	right     = Width - 28
	labelSize = 22 // height of a digit beside the axes
	peakSize  = 26 // and of the one above the highest bar
)

// draw puts a grid, its numbers, the bars and their dates on a card.
func draw(bars []int, perBar int, newest time.Time) *image.Paletted {
	c := newCanvas()
	peak := slices.Max(bars)
	ceiling, step := scale(peak)
	left := margin + textWidth(strconv.Itoa(ceiling), labelSize) + 14
	y := func(n int) float64 { return bottom - float64(n)*(bottom-top)/float64(ceiling) }
	for n := 0; n <= ceiling; n += step {
		line := inkGrid
		if n == 0 {
			line = inkAxis
		}
		c.bar(left, y(n)-1, right, y(n)+1, 0, line)
		c.text(strconv.Itoa(n), left-14, y(n), labelSize, alignRight, inkText)
	}
	slot := (right - left) / float64(len(bars))
	gap := min(max(2, slot*0.24), 12)
	highest := len(bars) - 1
	for bars[highest] != peak { // the last of them
		highest--
	}
	for k, n := range bars {
		x0, x1 := left+float64(k)*slot+gap/2, left+float64(k+1)*slot-gap/2
		if n > 0 {
			c.bar(x0, min(y(n), bottom-4), x1, bottom-1, min(5, (x1-x0)/2), inkBar)
		}
		if k == highest && n > 0 {
			label := strconv.Itoa(n)
			half := textWidth(label, peakSize) / 2
			at := min(max((x0+x1)/2, left+half), right-half)
			c.clear(at-half-6, y(n)-peakSize-14, at+half+6, y(n)-4) // grid lines would cross it out
			c.text(label, at, y(n)-9-peakSize/2, peakSize, alignCentre, inkStrong)
		}
	}
	if !newest.IsZero() {
		dates(c, len(bars), perBar, newest, left, slot)
	}
	return c.img
}

// dates writes, below some bars, the last day of their last week: as many as there is room for, the newest always.
func dates(c *canvas, bars, perBar int, newest time.Time, left, slot float64) {
	layout := "01-02"
	if bars*perBar > 52 {
		layout = "2006-01"
	}
	width := textWidth(newest.Format(layout), labelSize)
	free := float64(Width - margin + 2) // what lies left of it has no date yet
	for k := bars - 1; k >= 0; k-- {
		tick := left + (float64(k)+0.5)*slot
		at := min(tick, Width-margin+2-width/2)
		if at+width/2 > free || at-width/2 < margin {
			continue
		}
		c.bar(tick-1, bottom+1, tick+1, bottom+8, 0, inkAxis)
		c.text(newest.AddDate(0, 0, -7*perBar*(bars-1-k)).Format(layout), at, bottom+28, labelSize, alignCentre, inkText)
		free = at - width/2 - labelSize*1.3
	}
}

// scale is a round number at or above peak, and a round step that divides it into 2 to 4.
func scale(peak int) (ceiling, step int) {
	for unit := 1; ; unit *= 10 {
		for _, m := range []int{1, 2, 5} {
			step = unit * m
			if step*4 >= peak {
				return max(2, (max(peak, 1)+step-1)/step) * step, step
			}
		}
	}
}
