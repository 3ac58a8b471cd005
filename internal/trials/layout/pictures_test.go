package layout_test

import (
	"encoding/xml"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// element is one of a picture.
type element struct {
	XMLName xml.Name
	Attrs   []xml.Attr `xml:",any,attr"`
	Text    string     `xml:",chardata"`
	Within  []element  `xml:",any"`
}

func (e element) attr(name string) string {
	for _, a := range e.Attrs {
		if a.Name.Local == name {
			return a.Value
		}
	}
	return ""
}

// all is the element and all within it.
func (e element) all(yield func(element) bool) bool {
	if !yield(e) {
		return false
	}
	for _, w := range e.Within {
		if !w.all(yield) {
			return false
		}
	}
	return true
}

func picture(t *testing.T, file string) (root element) {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if err := xml.Unmarshal(text, &root); err != nil {
		t.Fatalf("%s: %v", file, err)
	}
	return root
}

// TestRoomsAreDrawn: docs/rooms.svg has each room, and above all that it may import.
func TestRoomsAreDrawn(t *testing.T) {
	drawn := make(map[string]float64)
	picture(t, filepath.Join(root, "docs/rooms.svg")).all(func(e element) bool {
		room := e.attr("data-room")
		if room == "" {
			return true
		}
		y, err := strconv.ParseFloat(e.attr("y"), 64)
		if err != nil {
			t.Errorf("%s is nowhere: %v", room, err)
		}
		drawn[room] = y
		module := isModule(filepath.Join(root, room))
		if apart := e.attr("class") == "apart"; apart != module {
			t.Errorf("%s is drawn as a module of its own: %v, and is one: %v", room, apart, module)
		}
		return true
	})
	in := func(pkg string) (room string) { // the room of those drawn that a package is in
		for r := range drawn {
			if within(pkg, r) && len(r) > len(room) {
				room = r
			}
		}
		return room
	}
	undrawn := []string{"observe", "examples", "interop", "testdata"}
	for _, list := range []map[string][]string{rooms, nested} {
		for room, allowed := range list {
			from := in(room)
			switch {
			case slices.Contains(undrawn, room) || within(room, "examples") || strings.Contains(room, "/internal") || strings.Contains(room, "example"):
				continue
			case from == "":
				t.Errorf("docs/rooms.svg does not show %s: it wants a rect with data-room, by hand, above all that the room imports, and the desc its name", room)
				continue
			}
			for _, imported := range allowed {
				if to := in(imported); to != "" && to != from && drawn[to] <= drawn[from] {
					t.Errorf("docs/rooms.svg: %s imports %s, which is not below it", from, to)
				}
			}
		}
	}
	for _, room := range slices.Sorted(maps.Keys(drawn)) {
		if _, err := os.Stat(filepath.Join(root, room)); err != nil {
			t.Error(err)
		}
	}
}

// TestAnswersAreDrawn: docs/request.svg has each status that a client can be told
// (docs/answers.md), and no other.
func TestAnswersAreDrawn(t *testing.T) {
	status := regexp.MustCompile(`\b[45]\d\d\b`)
	drawn, told := make(map[string]bool), make(map[string]bool)
	picture(t, filepath.Join(root, "docs/request.svg")).all(func(e element) bool {
		if e.XMLName.Local == "text" {
			for _, s := range status.FindAllString(e.Text, -1) {
				drawn[s] = true
			}
		}
		return true
	})
	for _, row := range regexp.MustCompile(`(?m)^\|[^|]+\| (\d{3}) \|`).FindAllStringSubmatch(pages(t)["docs/answers.md"], -1) {
		told[row[1]] = true
	}
	if !maps.Equal(drawn, told) || len(told) < 6 {
		t.Errorf("docs/request.svg has %v, docs/answers.md %v", slices.Sorted(maps.Keys(drawn)), slices.Sorted(maps.Keys(told)))
	}
}

// TestPictures: each picture of docs says what it shows to who cannot see it, brings its
// own background, which light and dark pages leave alone, and nothing from elsewhere.
func TestPictures(t *testing.T) {
	files, err := filepath.Glob(filepath.Join(root, "docs/*.svg"))
	if err != nil || len(files) < 2 {
		t.Fatalf("%q, %v", files, err)
	}
	for _, file := range files {
		said, grounded, texts := map[string]int{}, false, 0
		p := picture(t, file)
		p.all(func(e element) bool {
			switch name := e.XMLName.Local; name {
			case "title", "desc":
				said[name] = len(e.Text)
			case "image", "script", "foreignObject", "use":
				t.Errorf("%s holds a %s", file, name)
			case "rect":
				grounded = grounded || e.attr("x") == ".5" && strings.HasPrefix(e.attr("fill"), "#") // white, or a terminal's
			case "text":
				texts++
			}
			if strings.Contains(e.Text, "@import") || strings.Contains(e.Text, "@font-face") || e.attr("href") != "" {
				t.Errorf("%s wants something from elsewhere", file)
			}
			return true
		})
		if said["title"] < 10 || said["desc"] < 40 || !grounded || texts == 0 {
			t.Errorf("%s: %d letters of title, %d of desc, own background %v, %d texts", file, said["title"], said["desc"], grounded, texts)
		}
	}
	shown := regexp.MustCompile(`!\[([^\]]*)\]\(|<img([^>]*)>`)
	for page, text := range pages(t) {
		for _, m := range shown.FindAllStringSubmatch(fenced.ReplaceAllString(text, ""), -1) {
			if len(m[1]) < 10 && !regexp.MustCompile(`alt="[^"]{10,}"`).MatchString(m[2]) {
				t.Errorf("%s: %s… says nothing to who cannot see it", page, m[0])
			}
		}
	}
}
