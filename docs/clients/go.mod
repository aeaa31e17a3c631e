module weeklybot/docs/clients

go 1.26.0

require (
	github.com/larksuite/oapi-sdk-go/v3 v3.11.0
	weeklybot v0.0.0
)

require (
	github.com/gogo/protobuf v1.3.2 // indirect
	github.com/gorilla/websocket v1.5.3 // indirect
	github.com/yuin/goldmark v1.8.7 // indirect
	google.golang.org/protobuf v1.36.12 // indirect
)

replace weeklybot => ../..
