import { spawnSync } from "node:child_process"
import { cpSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { dirname, join } from "node:path"

export const repo = join(import.meta.dirname, "../..")
const settings = [".oxlintrc.json", ".oxlint", "tsconfig.json", "package.json"]

interface TreeOptions {
  /** Path → text. */
  readonly files: Record<string, string>
  /** Folders of the repo that the tree shows too, beside its node_modules. */
  readonly links?: ReadonlyArray<string>
}

/** Runs `use` in a temp folder that has the repo's settings and only these files, and removes it. */
export const inTree = <A>({ files, links = [] }: TreeOptions, use: (folder: string) => A): A => {
  const folder = mkdtempSync(join(tmpdir(), "nightshift-tree-"))
  try {
    for (const name of settings) cpSync(join(repo, name), join(folder, name), { recursive: true })
    for (const name of ["node_modules", ...links]) symlinkSync(join(repo, name), join(folder, name))
    for (const [path, text] of Object.entries(files)) {
      mkdirSync(dirname(join(folder, path)), { recursive: true })
      writeFileSync(join(folder, path), text)
    }
    return use(folder)
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}

/** Runs one of the repo's own tools in `folder`. */
export const runTool = (folder: string, name: string, ...args: ReadonlyArray<string>) => {
  const { status, stdout, stderr } = spawnSync(join(repo, "node_modules/.bin", name), args, { cwd: folder, encoding: "utf8" })
  return { status, stdout, stderr }
}
