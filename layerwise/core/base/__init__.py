"""What every room stands on: errors, words for messages, settings of measures, files written whole or not at all."""
