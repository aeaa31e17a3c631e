package chart

import (
	"math"
	"sync"
)

// A glyph is a few lines of a pen with a round tip, in a box 4 wide and 6 high, y downwards. Curves are arcs of circles as short lines.
type glyph struct {
	width   float64
	strokes [][]point
}

type point struct{ x, y float64 }

// digits are all that the picture writes.
var digits = map[rune]glyph{
	'0': {4, [][]point{join(arc(2, 2, 2, 2, 180, 360), arc(2, 4, 2, 2, 0, 180), []point{{0, 2}})}},
	'1': {2.4, [][]point{{{0.2, 1.3}, {1.8, 0}, {1.8, 6}}}},
	'2': {4, [][]point{join(arc(2, 1.85, 1.85, 1.85, 190, 390), []point{{0.1, 6}, {4, 6}})}},
	'3': {4, [][]point{join(arc(1.95, 1.5, 1.6, 1.5, 200, 440), arc(1.9, 4.4, 1.9, 1.6, 280, 520))}},
	'4': {4.2, [][]point{{{3.1, 6}, {3.1, 0}, {0, 4.2}, {4.2, 4.2}}}},
	'5': {4, [][]point{join([]point{{3.6, 0}, {0.6, 0}, {0.3, 2.7}}, arc(1.95, 4.05, 1.95, 1.95, 220, 505))}},
	'6': {4, [][]point{arc(2, 4.05, 2, 1.95, 0, 360), join([]point{{3.2, 0.1}}, arc(2.9, 4.05, 2.9, 3.6, 235, 180))}},
	'7': {4, [][]point{{{0, 0}, {4, 0}, {1.4, 6}}}},
	'8': {4, [][]point{arc(2, 1.45, 1.6, 1.45, 0, 360), arc(2, 4.4, 2, 1.6, 0, 360)}},
	'9': {4, [][]point{arc(2, 1.95, 2, 1.95, 0, 360), join([]point{{0.8, 5.9}}, arc(1.1, 1.95, 2.9, 3.6, 55, 0))}},
	'-': {2.2, [][]point{{{0.1, 3.2}, {2.1, 3.2}}}},
}

const (
	boxHeight = 6.0
	spacing   = 1.5 // between two glyphs, in units of the box
	penWidth  = 0.82
)

// arc is the part of an ellipse from one angle to another, in degrees, 0 at the right, 90 at the bottom.
func arc(cx, cy, rx, ry, from, to float64) []point {
	const steps = 24
	out := make([]point, 0, steps+1)
	for k := range steps + 1 {
		angle := (from + (to-from)*float64(k)/steps) * math.Pi / 180
		out = append(out, point{cx + rx*math.Cos(angle), cy + ry*math.Sin(angle)})
	}
	return out
}

func join(parts ...[]point) (out []point) {
	for _, p := range parts {
		out = append(out, p...)
	}
	return out
}

// textWidth is how wide text is, in pixels, with digits of that height.
func textWidth(text string, height int) float64 {
	width := -spacing
	for _, r := range text {
		width += digits[r].width + spacing
	}
	return width * float64(height) / boxHeight
}

type align int

const (
	alignCentre align = iota
	alignRight
)

// text writes digits, its middle at height y.
func (c *canvas) text(text string, x, y float64, height int, how align, i ink) {
	width := textWidth(text, height)
	if how == alignCentre {
		x -= width / 2
	} else {
		x -= width
	}
	top := int(math.Round(y - float64(height)/2))
	for _, r := range text {
		c.stamp(stamps()[stampKey{r, height}], int(math.Round(x)), top, i)
		x += (digits[r].width + spacing) * float64(height) / boxHeight
	}
}

// stampPad is how far a stamp reaches beyond its glyph's box on each side, in pixels.
const stampPad = 4

// A stamp is a glyph in pixels: the shade of each, row by row.
type stamp struct {
	width  int
	shades []float64
}

type stampKey struct {
	glyph  rune
	height int
}

// stamps are all glyphs in both sizes. Measuring the distances for each picture anew would take most of its time.
var stamps = sync.OnceValue(func() map[stampKey]stamp {
	all := map[stampKey]stamp{}
	for r, g := range digits {
		for _, height := range []int{labelSize, peakSize} {
			all[stampKey{r, height}] = g.stamp(height)
		}
	}
	return all
})

func (g glyph) stamp(height int) stamp {
	unit := float64(height) / boxHeight
	s := stamp{width: int(math.Ceil(g.width*unit)) + 2*stampPad}
	for y := range height + 2*stampPad {
		for x := range s.width {
			at := point{(float64(x-stampPad) + 0.5) / unit, (float64(y-stampPad) + 0.5) / unit}
			s.shades = append(s.shades, inside((penWidth/2-g.distance(at))*unit))
		}
	}
	return s
}

func (c *canvas) stamp(s stamp, x, y int, i ink) {
	for k, much := range s.shades {
		c.cover(x-stampPad+k%s.width, y-stampPad+k/s.width, i, much)
	}
}

// distance is how far a point is from the pen's nearest line.
func (g glyph) distance(p point) float64 {
	nearest := math.Inf(1)
	for _, s := range g.strokes {
		for k := 1; k < len(s); k++ {
			nearest = min(nearest, toLine(p, s[k-1], s[k]))
		}
	}
	return nearest
}

func toLine(p, a, b point) float64 {
	dx, dy := b.x-a.x, b.y-a.y
	t := 0.0
	if length := dx*dx + dy*dy; length > 0 {
		t = min(max(((p.x-a.x)*dx+(p.y-a.y)*dy)/length, 0), 1)
	}
	return math.Hypot(p.x-a.x-t*dx, p.y-a.y-t*dy)
}
