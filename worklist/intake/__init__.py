"""From received file to rows: sources, registration, scope, and when a study is complete."""
