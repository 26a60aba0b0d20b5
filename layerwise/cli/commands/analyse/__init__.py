"""Commands that make runs: `demo`, `models`, `layers`, `run`, `import`."""
