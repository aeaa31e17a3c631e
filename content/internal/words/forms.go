package words

import "strings"

// Singular is word without an English plural ending; other text comes back unchanged.
func Singular(word string) string {
	return string(SingularBytes([]byte(word)))
}

// SingularBytes is Singular without a copy where the ending is just cut. Words of three letters (aws, dns, ios), those in -ss, -us and
// -is, and news have no plural ending.
func SingularBytes(w []byte) []byte {
	n := len(w)
	if n < 4 || w[n-1] != 's' || !isASCIILetter(w[n-2]) || string(w) == "news" {
		return w
	}
	switch w[n-2] {
	case 's', 'u', 'i':
		return w
	case 'e':
		if n > 5 && w[n-3] == 'i' { // policies
			return append(append(make([]byte, 0, n-2), w[:n-3]...), 'y')
		}
		if n > 5 && strings.ContainsRune("sxz", rune(w[n-3])) || n > 5 && w[n-3] == 'h' && (w[n-4] == 's' || w[n-4] == 'c') {
			return w[:n-2] // meshes, boxes, classes
		}
	}
	return w[:n-1]
}

// Letters is the word of three letters or more in front of a glued number (swift5, python3.12); nil when there is none.
func Letters(w []byte) []byte {
	n := len(w)
	for n > 0 && (isDigit(w[n-1]) || w[n-1] == '.') {
		n--
	}
	if n == len(w) || n < 3 {
		return nil
	}
	for _, c := range w[:n] {
		if isDigit(c) || c == '.' {
			return nil
		}
	}
	return w[:n]
}
