package apihttp

import (
	"bytes"
	"mime/multipart"
)

// Body is what a request carries, and its Content-Type.
type Body struct {
	Type  string
	Bytes []byte
}

// JSONBody is v, as EncodeJSON writes it.
func JSONBody(v any) Body { return Body{"application/json; charset=utf-8", EncodeJSON(v)} }

// ImageForm is an upload of a picture in the form's field, with one further field before it ("" = none).
func ImageForm(field string, png []byte, key, value string) Body {
	var b bytes.Buffer
	form := multipart.NewWriter(&b)
	if key != "" {
		_ = form.WriteField(key, value) // into memory: none of this can fail
	}
	file, _ := form.CreateFormFile(field, "chart.png")
	_, _ = file.Write(png)
	_ = form.Close()
	return Body{form.FormDataContentType(), b.Bytes()}
}
