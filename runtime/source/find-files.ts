/** Turns paths and globs into the files to read: the same list, in the same order, on every machine. */
import * as fs from "node:fs"
import * as path from "node:path"

import * as Effect from "effect/Effect"
import { glob, isDynamicPattern, type GlobOptions } from "tinyglobby"

import { fileError, SourceError } from "./source-error.ts"

export interface FoundFile {
  /** Absolute. */
  readonly path: string
  /** For people: relative to the working directory, or absolute where the author's pattern is. */
  readonly shown: string
  /** Relative to the folder that all patterns start from, with `/`: stable when that folder moves. */
  readonly relative: string
}

/**
 * Finds what the patterns name, in their order and sorted by path within each. A file that is named twice, also through a
 * symbolic link, is read once. A pattern that starts with `!` takes files away.
 *
 * Every other pattern must match: half of an input that silently isn't there costs more than a night that stops at once.
 */
export const findFiles = Effect.fn("Source.findFiles")(function* (format: string, patterns: ReadonlyArray<string>) {
  const ignore = patterns.filter(isExclusion).map((pattern) => pattern.slice(1))
  const wanted = patterns.filter((pattern) => !isExclusion(pattern))
  const root = sharedFolder(wanted.map(fixedFolder))
  const found = new Map<string, FoundFile>()
  for (const pattern of wanted) {
    const absolute = yield* Effect.tryPromise({
      try: () => match(format, pattern, ignore),
      catch: (cause) => fileError(format, pattern, cause)
    })
    for (const file of absolute) {
      if (!found.has(file)) found.set(file, { path: file, shown: shownAs(pattern, file), relative: slashed(path.relative(root, file)) })
    }
  }
  return [...found.values()]
})

/** `!(a|b)` is a group of a glob, not an exclusion. */
const isExclusion = (pattern: string): boolean => pattern.startsWith("!") && !pattern.startsWith("!(")

const slashed = (file: string): string => file.replaceAll(path.sep, "/")

const shownAs = (pattern: string, file: string): string => slashed(path.isAbsolute(pattern) ? file : path.relative("", file))

/** Absolute paths, sorted. */
const match = async (format: string, pattern: string, ignore: ReadonlyArray<string>): Promise<ReadonlyArray<string>> => {
  // The path as it is written comes first: a file may be called "mails [2024].jsonl".
  const literal = await fs.promises.stat(pattern).catch((cause: unknown) => cause)
  if (literal instanceof fs.Stats) {
    if (literal.isDirectory()) throw failure("directory", format, pattern)
    // Opening a pipe would wait for a writer, and what came out of it couldn't be read a second time.
    if (!literal.isFile()) throw failure("format", format, pattern, "not a regular file. Write its content to one, and read that")
    return [path.resolve(pattern)]
  }
  if (!isDynamicPattern(pattern)) throw fileError(format, pattern, literal)
  const { folders, trouble, links } = watchedFolders()
  const matches = await glob(pattern, { absolute: true, dot: false, expandDirectories: false, ignore: [...ignore], fs: folders })
  const [refused] = trouble
  if (refused !== undefined) throw fileError(format, refused.path, refused.cause)
  if (matches.length === 0) throw failure("no-match", format, pattern)
  const absolute = matches.map((file) => path.resolve(file)).toSorted()
  return links.length === 0 ? absolute : withoutAliases(absolute)
}

const failure = (reason: SourceError["reason"], format: string, shown: string, detail = ""): SourceError =>
  new SourceError({ reason, format, path: shown, detail, directory: process.cwd() })

/**
 * The file system as tinyglobby sees it. By itself it passes over folders that it may not open and links that lead nowhere;
 * here the first stops the source, and the second is listed, so that opening it fails and names it.
 */
const watchedFolders = () => {
  const trouble: Array<{ readonly path: string; readonly cause: Error }> = []
  const links: Array<string> = []
  const readdir = (folder: string, options: { withFileTypes: true }, done: (error: Error | null, entries: Array<fs.Dirent>) => void) =>
    fs.readdir(folder, options, (error, entries) => {
      if (error !== null && error.code !== "ENOENT") trouble.push({ path: folder, cause: error })
      done(error, entries)
    })
  const realpath = (link: string, done: (error: Error | null, target: string) => void) =>
    fs.realpath(link, (error, target) => {
      links.push(link)
      done(null, error === null ? target : link)
    })
  const stat = (file: string, done: (error: Error | null, stats: fs.Stats) => void) =>
    fs.stat(file, (error, stats) => (error === null ? done(null, stats) : fs.lstat(file, done)))
  // The cast: tinyglobby types these by node's overloads, of which it calls the ones above.
  return { trouble, links, folders: { readdir, realpath, stat } as unknown as NonNullable<GlobOptions["fs"]> }
}

/** Of several names of one file keeps the real one, else the shortest: links that form a loop add longer names. */
const withoutAliases = async (files: ReadonlyArray<string>): Promise<ReadonlyArray<string>> => {
  const byTarget = new Map<string, string>()
  for (const file of files) {
    const target = await fs.promises.realpath(file).catch(() => file)
    const other = byTarget.get(target)
    const isBetter = other === undefined || (other !== target && (file === target || file.length < other.length))
    if (isBetter) byTarget.set(target, file)
  }
  return [...byTarget.values()].toSorted()
}

/** The folder that a pattern starts from: all segments before the first with a wildcard, never the file's own name. */
const fixedFolder = (pattern: string): string => {
  const segments = pattern.split("/")
  const dynamic = fs.existsSync(pattern) ? -1 : segments.findIndex((segment) => isDynamicPattern(segment))
  const folder = segments.slice(0, dynamic === -1 ? -1 : dynamic).join("/")
  return path.resolve(folder === "" && pattern.startsWith("/") ? "/" : folder)
}

const sharedFolder = (folders: ReadonlyArray<string>): string =>
  folders.reduce((shared, folder) => {
    let common = shared
    while (common !== folder && !folder.startsWith(common.endsWith(path.sep) ? common : common + path.sep)) common = path.dirname(common)
    return common
  })
