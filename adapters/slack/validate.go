package slack

import (
	"fmt"
	"unicode/utf8"

	"github.com/slack-go/slack"
)

// validate says why Slack would refuse p. Every payload passes it before it leaves, and Split cuts by it.
func validate(p payload) error {
	if n := runes(p.Text); n == 0 || n > maxFallback {
		return fmt.Errorf("text has %d characters: want 1 to %d", n, maxFallback)
	}
	if p.Metadata != nil {
		if body, err := encode(p.Metadata); err != nil || len(body) > maxMetadataBytes {
			return fmt.Errorf("metadata is %d bytes: want at most %d", len(body), maxMetadataBytes)
		}
	}
	return checkBlocks(p.Blocks, budgetBlocks+rowBlocks, budgetTotal+rowTotal)
}

// validateBlocks is for what a message brings, before our own buttons are below it.
func validateBlocks(blocks []slack.Block) error {
	return checkBlocks(blocks, budgetBlocks, budgetTotal)
}

func checkBlocks(blocks []slack.Block, most, mostText int) error {
	if len(blocks) > most {
		return fmt.Errorf("%d blocks: want at most %d", len(blocks), most)
	}
	total := 0
	for k, block := range blocks {
		n, err := checkBlock(block)
		if err != nil {
			return fmt.Errorf("block %d: %w", k, err)
		}
		total += n
	}
	if total > mostText {
		return fmt.Errorf("blocks hold %d characters together: want at most %d", total, mostText)
	}
	return nil
}

// checkBlock returns the size of a block's text.
func checkBlock(block slack.Block) (size int, err error) {
	switch b := block.(type) {
	case *slack.HeaderBlock:
		return checkText(b.Text, maxHeader)
	case *slack.SectionBlock:
		return checkSection(b)
	case *slack.ContextBlock:
		return checkContext(b.ContextElements.Elements)
	case *slack.ActionBlock:
		return checkButtons(b.Elements.ElementSet)
	case *slack.DividerBlock:
		return 0, nil
	}
	return 0, fmt.Errorf("unexpected type %T", block)
}

func checkSection(b *slack.SectionBlock) (size int, err error) {
	size, err = checkText(b.Text, maxTextObject)
	if err != nil || b.Accessory == nil {
		return size, err
	}
	menu := b.Accessory.OverflowElement
	if menu == nil || len(menu.Options) == 0 || len(menu.Options) > maxOverflow {
		return size, fmt.Errorf("unexpected accessory: want a menu of 1 to %d", maxOverflow)
	}
	for _, option := range menu.Options {
		n, err := checkText(option.Text, maxButtonText)
		if err != nil {
			return size, err
		}
		if len(option.Value) == 0 || len(option.Value) > maxOptionValue {
			return size, fmt.Errorf("option value of %d bytes: want 1 to %d", len(option.Value), maxOptionValue)
		}
		size += n
	}
	return size, nil
}

func checkContext(elements []slack.MixedElement) (size int, err error) {
	if len(elements) == 0 || len(elements) > maxContextElements {
		return 0, fmt.Errorf("context with %d elements: want 1 to %d", len(elements), maxContextElements)
	}
	for _, element := range elements {
		text, ok := element.(*slack.TextBlockObject)
		if !ok {
			return 0, fmt.Errorf("unexpected context element %T", element)
		}
		n, err := checkText(text, maxTextObject)
		if err != nil {
			return 0, err
		}
		size += n
	}
	return size, nil
}

func checkButtons(elements []slack.BlockElement) (size int, err error) {
	if len(elements) == 0 || len(elements) > maxButtons {
		return 0, fmt.Errorf("actions with %d buttons: want 1 to %d", len(elements), maxButtons)
	}
	for _, element := range elements {
		button, ok := element.(*slack.ButtonBlockElement)
		if !ok {
			return 0, fmt.Errorf("unexpected actions element %T", element)
		}
		n, err := checkText(button.Text, maxButtonText)
		if err != nil {
			return 0, err
		}
		if len(button.Value) > maxButtonValue {
			return 0, fmt.Errorf("button value of %d bytes: want at most %d", len(button.Value), maxButtonValue)
		}
		if runes(button.URL) > maxButtonURL {
			return 0, fmt.Errorf("button URL of %d characters: want at most %d", runes(button.URL), maxButtonURL)
		}
		size += n + runes(button.URL)
	}
	return size, nil
}

func checkText(text *slack.TextBlockObject, most int) (size int, err error) {
	if err := text.Validate(); err != nil {
		return 0, err
	}
	if n := runes(text.Text); n > most {
		return 0, fmt.Errorf("text of %d characters: want at most %d", n, most)
	}
	return runes(text.Text), nil
}

func runes(s string) int { return utf8.RuneCountInString(s) }
