"""Lines of text: alphabets, fonts, drawn lines, files with their texts."""
