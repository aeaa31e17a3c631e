# weeklybot in a container: one static binary, not root, its state in the volume /srv/data. The configuration is the project's own, listening
# on all addresses; mount another one over /srv/config.yaml.
FROM golang:1.26-bookworm AS build
WORKDIR /src
COPY go.mod go.sum ./
RUN go mod download
COPY . .
RUN CGO_ENABLED=0 go build -trimpath -ldflags "-s -w" -o /out/weeklybot ./cmd/weeklybot && mkdir /out/data

# Certificates and time zones come with it, and nothing else.
FROM gcr.io/distroless/static-debian12:nonroot
COPY --from=build /out/weeklybot /weeklybot
COPY --from=build --chown=65532:65532 /out/data /srv/data
COPY config.yaml /srv/config.yaml
COPY content/samples /srv/content/samples
USER 65532:65532
ENV WEEKLYBOT_LISTEN=0.0.0.0:8080
VOLUME /srv/data
EXPOSE 8080
HEALTHCHECK --interval=30s --timeout=5s --start-period=20s CMD ["/weeklybot", "health", "--config", "/srv/config.yaml"]
ENTRYPOINT ["/weeklybot"]
CMD ["serve", "--config", "/srv/config.yaml"]
