import { spawnSync } from "node:child_process"
import { cpSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { dirname, join } from "node:path"

const repo = join(import.meta.dirname, "../..")
const settings = [".oxlintrc.json", ".oxlint", "tsconfig.json", "package.json"]

/** Runs `use` in a temp copy of the repo's settings that holds only `files` (path → text). */
const inTree = <A>(files: Record<string, string>, use: (folder: string) => A): A => {
  const folder = mkdtempSync(join(tmpdir(), "nightshift-lint-"))
  try {
    for (const name of settings) cpSync(join(repo, name), join(folder, name), { recursive: true })
    symlinkSync(join(repo, "node_modules"), join(folder, "node_modules"))
    for (const [path, text] of Object.entries(files)) {
      mkdirSync(dirname(join(folder, path)), { recursive: true })
      writeFileSync(join(folder, path), text)
    }
    return use(folder)
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}

const tool = (folder: string, name: string, ...args: ReadonlyArray<string>) =>
  spawnSync(join(repo, "node_modules/.bin", name), args, { cwd: folder, encoding: "utf8" })

/** What `npm run lint` says of a tree of `files`, as `rule: message`, by path; a clean file has an empty list. */
export const lint = (files: Record<string, string>) =>
  inTree(files, (folder) => {
    const tops = new Set(Object.keys(files).map((path) => path.replace(/\/.*/, "")))
    const { stdout, stderr } = tool(folder, "oxlint", "-f", "json", ...tops)
    if (!stdout.startsWith("{")) throw new Error(stdout + stderr)
    const { diagnostics } = JSON.parse(stdout) as {
      diagnostics: ReadonlyArray<{ code: string; message: string; filename: string }>
    }
    const said = new Map(Object.keys(files).map((path) => [path, [] as Array<string>]))
    for (const { code, message, filename } of diagnostics) said.get(filename)?.push(`${code}: ${message}`)
    return said
  })

/** What the second half of `npm run types`, the search for lost Effects, prints for a tree of `files`. */
export const findLostEffects = (files: Record<string, string>) =>
  inTree(files, (folder) => {
    const { stdout, status } = tool(folder, "effect-tsgo", "diagnostics", "--project", "tsconfig.json", "--strict", "--format", "text")
    return { stdout, status }
  })
