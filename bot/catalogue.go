package bot

import (
	"slices"
	"time"

	"weeklybot/content"
)

// NewWithin is how long after its date an issue still counts as new when it is first seen.
const NewWithin = 14 * 24 * time.Hour

// Sighting is an issue as a source shows it, before the catalogue has numbered it.
type Sighting struct {
	Key    string
	Series string
	Date   string   // "2006-01-02" or ""
	Items  []string // growing pages: IDs of all items; nil for issues
	Empty  bool     // no items: an empty template, numbered once it has some
}

// Old says whether the issue's date is further back than NewWithin.
func (s Sighting) Old(now time.Time) bool {
	day, err := time.Parse(time.DateOnly, s.Date)
	return err == nil && now.Sub(day) > NewWithin
}

// Sightings are the issues of a source in the order in which the catalogue numbers them: oldest first.
func Sightings(issues []*content.Issue) []Sighting {
	var list []Sighting
	for _, i := range issues {
		s := Sighting{Key: i.Key(), Series: i.Series, Date: i.Date, Empty: i.ItemCount() == 0}
		if i.Kind == content.KindHotTopics {
			s.Items = []string{}
			for _, section := range i.Sections {
				for _, it := range section.Items {
					s.Items = append(s.Items, it.ID)
				}
			}
		}
		list = append(list, s)
	}
	slices.SortStableFunc(list, func(a, b Sighting) int {
		if a.Date < b.Date {
			return -1
		}
		if a.Date > b.Date {
			return 1
		}
		return 0
	})
	return list
}

// RecipeFor is what a subscription gets of a run: everything since the run's slot was last offered, since the subscription began, or since
// what it is still owed. The first occurrence after a subscription was made is its first digest, which is never empty; on publish the issue
// itself is it.
func RecipeFor(r *Record, run Run) Recipe {
	sub := r.Sub
	recipe := Recipe{
		From: max(run.From, sub.Since), Upto: run.Upto, Series: sub.Series, Topics: sub.Topics,
		Style: sub.Style, Lang: sub.Lang, MaxItems: sub.MaxItems,
	}
	if run.Series != "" {
		recipe.Series = []string{run.Series}
	} else if !sub.Schedule.OnPublish {
		recipe.First = sub.SinceAt.UnixMilli() > 0 && run.Last.Before(sub.SinceAt) && !sub.SinceAt.After(run.Due)
	}
	if r.Owed != nil {
		recipe.From = min(recipe.From, r.Owed.From)
		recipe.First = recipe.First || r.Owed.First
		recipe.Series = sub.Series // a debt does not say of which series it is
	}
	return recipe
}

// Joined is one recipe for what two say, of the same subscription.
func (r Recipe) Joined(o Recipe) Recipe {
	joined := o
	joined.From, joined.Upto, joined.First = min(r.From, o.From), max(r.Upto, o.Upto), r.First || o.First
	if len(r.Series) == 0 || len(o.Series) == 0 {
		joined.Series = nil
	} else {
		joined.Series = slices.Compact(slices.Sorted(slices.Values(slices.Concat(r.Series, o.Series))))
	}
	return joined
}
