package chart

import (
	"image"
	"image/color"
	"math"
	"sync"
)

// ink is one colour of the picture. Each has a ramp of shades towards the paper, so that edges are smooth in a palette.
type ink int

const (
	inkPaper ink = iota // towards the chat's own background, which shines through outside the card
	inkGrid
	inkAxis
	inkBar
	inkText
	inkStrong
	inks
)

// colours are neutral: a light card with dark text reads well in a white and in a dark chat. The text has a contrast of 6.6 to 1 on the
// paper, bars of 4.6.
var colours = [inks]color.NRGBA{
	inkPaper:  {0xf6, 0xf7, 0xf9, 0xff},
	inkGrid:   {0xe0, 0xe4, 0xe9, 0xff},
	inkAxis:   {0xa9, 0xb2, 0xbd, 0xff},
	inkBar:    {0x3f, 0x76, 0xa6, 0xff},
	inkText:   {0x55, 0x5d, 0x68, 0xff},
	inkStrong: {0x22, 0x2b, 0x36, 0xff},
}

// shades of one ink besides none at all.
const shades = 16

// palette: index 0 is nothing, and ink i in shade s (1 to shades) is i*shades + s.
var palette = makePalette()

func makePalette() color.Palette {
	p := color.Palette{color.NRGBA{}}
	paper := colours[inkPaper]
	for i := range inks {
		full := colours[i]
		for s := 1; s <= shades; s++ {
			if i == inkPaper {
				p = append(p, color.NRGBA{full.R, full.G, full.B, uint8(255 * s / shades)})
				continue
			}
			mix := func(from, to uint8) uint8 { return uint8((int(from)*(shades-s) + int(to)*s) / shades) }
			p = append(p, color.NRGBA{mix(paper.R, full.R), mix(paper.G, full.G), mix(paper.B, full.B), 255})
		}
	}
	return p
}

func index(i ink, shade int) uint8 { return uint8(int(i)*shades + shade) }

// canvas is a picture in the making.
type canvas struct{ img *image.Paletted }

// radius is that of the card's corners, in pixels.
const radius = 16

// card is an empty picture: paper with round corners, and nothing outside them.
var card = sync.OnceValue(func() []uint8 {
	c := &canvas{image.NewPaletted(image.Rect(0, 0, Width, Height), palette)}
	c.bar(0, 0, Width, Height, -radius, inkPaper)
	return c.img.Pix
})

func newCanvas() *canvas {
	img := image.NewPaletted(image.Rect(0, 0, Width, Height), palette)
	copy(img.Pix, card())
	return &canvas{img}
}

// cover lays ink over a pixel; how much of it is covered is 0 to 1. What was there stays when it is covered by less than it is now.
func (c *canvas) cover(x, y int, i ink, much float64) {
	shade := int(much*shades + 0.5)
	if shade <= 0 || !(image.Point{x, y}).In(c.img.Rect) {
		return
	}
	at := c.img.PixOffset(x, y)
	if old := int(c.img.Pix[at]); old > 0 && ink((old-1)/shades) == i && (old-1)%shades+1 >= shade {
		return
	}
	if shade < shades/2 && c.img.Pix[at] != index(inkPaper, shades) && i != inkPaper {
		return // a faint edge over another ink would be a hole in it
	}
	c.img.Pix[at] = index(i, shade)
}

// bar fills a rectangle, the upper corners round; all four with a negative radius.
func (c *canvas) bar(x0, y0, x1, y1, radius float64, i ink) {
	bottomRadius := 0.0
	if radius < 0 {
		radius, bottomRadius = -radius, -radius
	}
	radius, bottomRadius = min(radius, y1-y0), min(bottomRadius, y1-y0)
	for y := int(math.Floor(y0)); y < int(math.Ceil(y1)); y++ {
		for x := int(math.Floor(x0)); x < int(math.Ceil(x1)); x++ {
			px, py := float64(x)+0.5, float64(y)+0.5
			much := inside(px-x0) * inside(x1-px) * inside(py-y0) * inside(y1-py)
			r := radius
			if py > y1-bottomRadius {
				r = bottomRadius
			}
			dx := max(x0+r-px, px-(x1-r), 0)
			dy := max(y0+radius-py, py-(y1-bottomRadius), 0)
			if dx > 0 && dy > 0 {
				much = inside(r - math.Hypot(dx, dy))
			}
			c.cover(x, y, i, much)
		}
	}
}

// clear puts paper back.
func (c *canvas) clear(x0, y0, x1, y1 float64) {
	r := image.Rect(int(x0), int(y0), int(x1), int(y1)).Intersect(c.img.Rect)
	for y := r.Min.Y; y < r.Max.Y; y++ {
		for x := r.Min.X; x < r.Max.X; x++ {
			if at := c.img.PixOffset(x, y); c.img.Pix[at] != index(inkBar, shades) {
				c.img.Pix[at] = index(inkPaper, shades)
			}
		}
	}
}

// inside is how much of a pixel lies within an edge, from the distance of its centre to the edge.
func inside(distance float64) float64 { return min(max(distance+0.5, 0), 1) }
