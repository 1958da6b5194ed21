import { inTree, runTool } from "./tree.ts"

interface Report {
  readonly diagnostics: ReadonlyArray<{ readonly code: string; readonly message: string; readonly filename: string }>
}

/** What `npm run lint` says of a tree of `files`, as `rule: message`, by path; a clean file has an empty list. */
export const lint = (files: Record<string, string>) =>
  inTree({ files }, (folder) => {
    const tops = new Set(Object.keys(files).map((path) => path.replace(/\/.*/, "")))
    const { stdout, stderr } = runTool(folder, "oxlint", "-f", "json", ...tops)
    if (!stdout.startsWith("{")) throw new Error(stdout + stderr)
    const { diagnostics } = JSON.parse(stdout) as Report
    const said = new Map(Object.keys(files).map((path) => [path, [] as Array<string>]))
    for (const { code, message, filename } of diagnostics) said.get(filename)?.push(`${code}: ${message}`)
    return said
  })

/** The second half of `npm run types`, the search for lost Effects, on a tree of `files`. */
export const findLostEffects = (files: Record<string, string>) =>
  inTree({ files }, (folder) => runTool(folder, "effect-tsgo", "diagnostics", "--project", "tsconfig.json", "--strict", "--format", "text"))
