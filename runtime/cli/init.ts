/** `runtime init [DIR]` */
import * as fs from "node:fs"
import { createRequire, findPackageJSON } from "node:module"
import * as path from "node:path"

import * as Argument from "effect/cli/Argument"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"

import { Misuse } from "./misuse.ts"
import { verb, type Said } from "./verb.ts"

export const init = verb(
  "init",
  {
    description: "Write a first job that runs at once and offline, with its sample input. Never overwrites a file.",
    examples: [
      ["runtime init", "in this folder"],
      ["runtime init my-jobs", "in a folder of its own"]
    ]
  },
  { dir: Argument.String("dir").pipe(Argument.withDescription("where to write (default: this folder)"), Argument.optional) },
  Effect.fnUntraced(function* ({ dir }) {
    const { inputPath, inputText, jobPath, jobText, packageText, tsconfigText } = yield* Effect.promise(() => import("./first-job.ts"))
    const folder = path.resolve(Option.getOrElse(dir, () => "."))
    const dependencies = ownVersions()
    const files = [
      { name: jobPath, text: jobText, about: "the job; its comments teach" },
      { name: inputPath, text: inputText, about: "12 rows: on purpose, one is broken and one is doubtful" },
      { name: "package.json", text: packageText(nameOf(folder), dependencies), about: "nightshift and effect, these versions" },
      { name: "tsconfig.json", text: tsconfigText, about: "for the editor and tsc; Node runs the job as it is" }
    ]
    const written = yield* Effect.forEach(files, (file) =>
      Effect.map(writeNew(path.join(folder, file.name), file.text), (isNew) => ({ ...file, isNew }))
    )
    const names = (isNew: boolean): ReadonlyArray<string> => written.filter((file) => file.isNew === isNew).map(({ name }) => name)
    const commands = [`runtime plan ${jobPath}`, `runtime run ${jobPath}`]
    const json = { folder, written: names(true), leftAlone: names(false), next: commands }
    const wrote = written.filter(({ isNew }) => isNew).map(({ name, about }) => `  ${name.padEnd(20)} ${about}`)
    const text = [
      wrote.length === 0 ? `Nothing was written: all files are in ${folder} already.` : `Wrote to ${folder}:\n${wrote.join("\n")}`,
      ...(wrote.length > 0 && names(false).length > 0 ? [`Left alone, for they were there: ${names(false).join(", ")}.`] : []),
      ...needs(folder, dependencies),
      `Next:\n${[...(folder === process.cwd() ? [] : [`cd ${path.relative("", folder)}`]), ...commands].map((command) => `  ${command}`).join("\n")}`
    ]
    return { json, text: text.join("\n\n") } satisfies Said
  })
)

/** Returns whether the file is new. One that is there stays as it is, whatever it holds. */
const writeNew = (file: string, text: string): Effect.Effect<boolean, Misuse> =>
  Effect.try({
    try: () => {
      fs.mkdirSync(path.dirname(file), { recursive: true })
      try {
        fs.writeFileSync(file, text, { flag: "wx" })
        return true
      } catch (error) {
        if (error instanceof Error && "code" in error && error.code === "EEXIST") return false
        throw error
      }
    },
    catch: (cause) =>
      new Misuse({
        problem: `${file} can't be written: ${cause instanceof Error ? cause.message : String(cause)}.`,
        remedy: "Give this user write access, or name another folder: `runtime init DIR`."
      })
  })

/** What this command itself runs with: a job's schemas must be of the same effect. */
const ownVersions = (): Readonly<Record<string, string>> => ({
  effect: versionIn(findPackageJSON("effect", import.meta.url)),
  nightshift: versionIn(findPackageJSON(import.meta.url))
})

const versionIn = (file: string | undefined): string => {
  const read: unknown = file === undefined ? null : JSON.parse(fs.readFileSync(file, "utf8"))
  return typeof read === "object" && read !== null && "version" in read ? String(read.version) : "latest"
}

/** As npm takes it. */
const nameOf = (folder: string): string =>
  path
    .basename(folder)
    .toLowerCase()
    .replaceAll(/[^a-z0-9-]+/g, "-")
    .replaceAll(/^-+|-+$/g, "") || "my-jobs"

/** What the job won't load without. */
const needs = (folder: string, versions: Readonly<Record<string, string>>): ReadonlyArray<string> => {
  const settings = path.join(folder, "package.json")
  const isModule = /"type"\s*:\s*"module"/.test(fs.readFileSync(settings, "utf8"))
  return [
    ...(isModule ? [] : ['The package.json that was there needs "type": "module": jobs are ES modules.']),
    ...(canImport("effect", settings)
      ? []
      : [
          `The job imports effect, which isn't installed here yet: npm i ${Object.entries(versions)
            .map(([name, wanted]) => `${name}@${wanted}`)
            .join(" ")}`
        ])
  ]
}

const canImport = (name: string, from: string): boolean => {
  try {
    createRequire(from).resolve(name)
    return true
  } catch {
    return false
  }
}
