# An editor's undo stack. truth: editor, self.undo
class Editor:
    def __init__(self):
        self.text = "lorem ipsum " * 300
        self.undo = []

    def type(self, letter):
        self.undo.append(self.text)
        self.text = self.text[1:] + letter  # <- line


editor = Editor()
while True:
    editor.type("x")
