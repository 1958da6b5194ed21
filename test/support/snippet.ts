import { inTree, runTool } from "./tree.ts"

/** The TypeScript of a Markdown text, by file. */
type Snippets = ReadonlyMap<string, string>

/**
 * The `ts` fences of a Markdown text as modules. A fence is a module of its own; the info string `ts continued` adds it to
 * the one before, and a first line like `// jobs/mail.ts` names its file, so that others can import it. Text keeps its
 * line numbers, so that the compiler's complaint leads to the line in the Markdown.
 */
export const snippetsOf = (markdown: string): Snippets => {
  const snippets = new Map<string, string>()
  let path = ""
  for (const { 1: info = "", 2: text = "", index } of markdown.matchAll(/^```ts(.*)\n([^]*?)^```$/gm)) {
    const line = markdown.slice(0, index).split("\n").length
    if (info.trim() !== "continued") path = /^\/\/ (\S+\.ts)$/m.exec(text.split("\n", 1)[0] ?? "")?.[1] ?? `line-${line}.ts`
    const before = snippets.get(path) ?? ""
    snippets.set(path, before + "\n".repeat(line - before.split("\n").length + 1) + text)
  }
  return snippets
}

/** What the compiler says of the snippets under the repo's own settings; "" when they are right. */
export const checkSnippets = (snippets: Snippets) => {
  const settings = {
    extends: "./tsconfig.json",
    compilerOptions: { noUnusedLocals: false, noUnusedParameters: false },
    include: [],
    files: [...snippets.keys()]
  }
  const files = { ...Object.fromEntries(snippets), "tsconfig.snippets.json": JSON.stringify(settings) }
  return inTree({ files, links: ["dsl"] }, (folder) => runTool(folder, "tsc", "--pretty", "false", "-p", "tsconfig.snippets.json").stdout)
}

/** The verbs that a Markdown text names in its code, as in `runtime run jobs/mail.ts`. */
export const verbsOf = (markdown: string) => {
  const code = [...markdown.matchAll(/^```[^]*?^```$|`[^`\n]+`/gm)].map(([text]) => text).join("\n")
  return [...new Set([...code.matchAll(/\bruntime ([a-z]+)\b/g)].map(([, verb = ""]) => verb))]
}
