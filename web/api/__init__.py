"""What the pages do, for programs: JSON over HTTP with tokens, described by an OpenAPI document."""
