// The editor of an exercise: CodeMirror with Python, in the page's own colours.

import { indentWithTab } from "@codemirror/commands";
import { python } from "@codemirror/lang-python";
import { HighlightStyle, bracketMatching, indentOnInput, indentUnit, syntaxHighlighting } from "@codemirror/language";
import { EditorState, StateEffect, StateField } from "@codemirror/state";
import { Decoration, highlightActiveLine, keymap, lineNumbers } from "@codemirror/view";
import { tags } from "@lezer/highlight";
import { EditorView, minimalSetup } from "codemirror";

const colour = (name) => ({ color: `var(--llmlab-code-${name})` });
const colours = HighlightStyle.define([
  { tag: [tags.keyword, tags.bool, tags.null, tags.self], ...colour("keyword") },
  { tag: [tags.string, tags.operator], ...colour("string") },
  { tag: [tags.number, tags.meta], ...colour("number") },
  { tag: tags.comment, ...colour("comment") },
  { tag: tags.function(tags.definition(tags.variableName)), ...colour("function") },
]);

// The line that a verdict names, until the code changes.
const markLine = StateEffect.define();
const markedLine = StateField.define({
  create: () => Decoration.none,
  update(marks, transaction) {
    for (const effect of transaction.effects) {
      if (effect.is(markLine)) return effect.value;
    }
    return transaction.docChanged ? Decoration.none : marks;
  },
  provide: (field) => EditorView.decorations.from(field),
});

// Tab indents, until Escape hands it back to the browser; typing or leaving takes it again.
const tabKey = [
  keymap.of([indentWithTab, { key: "Escape", run: (view) => !view.setTabFocusMode(true) }]),
  EditorView.domEventHandlers({ blur: (_, view) => view.setTabFocusMode(false) }),
];

/**
 * An editor that holds `code`. `label` and `described` name it for screen readers; `onchange(code)`
 * hears every edit, and `oncheck()` Ctrl-Enter and Shift-Enter.
 */
export function makeEditor({ parent, code, label, described, onchange, oncheck }) {
  const check = () => {
    oncheck();
    return true;
  };
  const changed = ({ view, docChanged }) => {
    if (!docChanged) return;
    view.setTabFocusMode(false);
    onchange(view.state.doc.toString());
  };
  const extensions = [
    keymap.of([{ key: "Mod-Enter", run: check }, { key: "Shift-Enter", run: check }]),
    ...tabKey,
    minimalSetup,
    lineNumbers(),
    highlightActiveLine(),
    bracketMatching(),
    indentOnInput(),
    indentUnit.of("    "),
    EditorState.tabSize.of(4),
    python(),
    syntaxHighlighting(colours),
    markedLine,
    EditorView.contentAttributes.of({ "aria-label": label, "aria-describedby": described, tabindex: "0" }),
    EditorView.updateListener.of(changed),
  ];
  const view = new EditorView({ parent, doc: code, extensions });
  return {
    code: () => view.state.doc.toString(),
    focus: () => view.focus(),
    /** Put other code in its place; undo brings the old one back. */
    replace(text) {
      view.dispatch({ changes: { from: 0, to: view.state.doc.length, insert: text }, selection: { anchor: 0 } });
    },
    /** Mark a line, counted from 1; null marks none. */
    mark(number) {
      const { doc } = view.state;
      const line = number && doc.line(Math.min(Math.max(number, 1), doc.lines));
      const mark = Decoration.line({ class: "llmlab-marked-line" });
      const marks = line ? Decoration.set([mark.range(line.from)]) : Decoration.none;
      view.dispatch({ effects: [markLine.of(marks), ...(line ? [EditorView.scrollIntoView(line.from)] : [])] });
    },
  };
}
