/** Secrets that were read, and how they are kept out of what people see (SEC-1, case 60). */
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"

/** Shorter ones are not masked: they would be found in plain words. */
const secretLengthMin = 8
const masked = "***"

/** Every form of every secret, longest first: the whole of a form goes before a part of it. Grows by a few with every key that is read. */
let forms: ReadonlyArray<string> = []
const noted = new Set<string>()

/** From now on `mask` hides this secret, also in base64 (of any text around it), URL-encoded and in JSON. */
export const noteSecret = (secret: string): void => {
  if (secret.length < secretLengthMin || noted.has(secret)) return
  noted.add(secret)
  forms = [...new Set([...forms, ...formsOf(secret)])].toSorted((a, b) => b.length - a.length)
}

/** The text with `***` for each secret that was noted. Costs a search for each form, and no copy where nothing is found. */
export const mask = (text: string): string => {
  let clean = text
  for (const form of forms) if (clean.includes(form)) clean = clean.replaceAll(form, masked)
  return clean
}

/** The same JSON value with its texts masked: what was escaped in the text that it was parsed from is plain only now. */
export const maskJson = (value: unknown): unknown => {
  if (forms.length === 0) return value
  if (typeof value === "string") return mask(value)
  if (Array.isArray(value)) return value.map(maskJson)
  if (typeof value !== "object" || value === null || !isPlain(value)) return value
  return Object.fromEntries(Object.entries(value).map(([name, field]) => [mask(name), maskJson(field)]))
}

/** Rather than of a class, such as a date, which would lose itself. */
const isPlain = (value: object): boolean => [Object.prototype, null].includes(Object.getPrototypeOf(value))

const formsOf = (secret: string): ReadonlyArray<string> => {
  // Half of a surrogate pair has no bytes, and would throw.
  const url = encodeURIComponent(secret.toWellFormed())
  return [
    secret,
    url,
    url.replaceAll(/%[0-9A-F]{2}/g, (escape) => escape.toLowerCase()),
    JSON.stringify(secret).slice(1, -1),
    // As bytes of UTF-8 look in a buffer that is searched byte by byte.
    Buffer.from(secret).toString("latin1"),
    ...base64FormsOf(secret)
  ].filter((form) => form.length >= secretLengthMin)
}

/** What base64 of a text that holds the secret must contain: three bytes make four letters, so there are three ways it can lie. */
const base64FormsOf = (secret: string): ReadonlyArray<string> => {
  const bytes = Buffer.from(secret)
  const inside = [0, 1, 2].map((before) => {
    const text = Buffer.concat([Buffer.alloc(before), bytes]).toString("base64url")
    // Letters that also depend on what stands before or after are not the secret's own.
    return text.slice(Math.ceil((before * 8) / 6), Math.floor(((before + bytes.length) * 8) / 6))
  })
  const alone = bytes.toString("base64")
  const urlSafe = [alone.replaceAll("=", ""), ...inside].flatMap((form) => [form, form.replaceAll("-", "+").replaceAll("_", "/")])
  return [alone, ...urlSafe, ...[alone, ...urlSafe].map((form) => encodeURIComponent(form))]
}

/**
 * Masks what this process writes to its stdout and stderr while the scope is open: console, and `process.stdout.write` of job code.
 * Not what goes around them (a file descriptor, a child's own output), nor a secret that is cut in two by separate writes.
 */
export const maskConsole: Effect.Effect<void, never, Scope.Scope> = Effect.acquireRelease(
  Effect.sync(() => install()),
  () => Effect.sync(() => uninstall())
)

type Output = Pick<typeof process.stdout, "write">

interface Wrapped {
  readonly output: Output
  readonly write: Output["write"]
  readonly original: Output["write"]
  readonly wasOwn: boolean
}

/** Runs may lie within each other in one process: the first one installs, the last one takes away. */
let users = 0
let wrapped: ReadonlyArray<Wrapped> = []

const install = (): void => {
  users++
  if (users === 1) wrapped = [process.stdout, process.stderr].map(wrap)
}

const uninstall = (): void => {
  users--
  if (users > 0) return
  for (const { output, write, original, wasOwn } of wrapped) {
    // Somebody else's wrapper around ours stays; ours then has nothing to do any more, for `users` is 0.
    if (output.write !== write) continue
    if (wasOwn) output.write = original
    else Reflect.deleteProperty(output, "write")
  }
  wrapped = []
}

const wrap = (output: Output): Wrapped => {
  const original = output.write
  const wasOwn = Object.hasOwn(output, "write")
  const write = (chunk: string | Uint8Array, ...rest: ReadonlyArray<unknown>): boolean => {
    const call = users === 0 ? [chunk, ...rest] : maskedCall(chunk, rest)
    // The same arguments as they came, so whichever overload was meant is the one that's called.
    return Reflect.apply(original, output, call) as boolean
  }
  output.write = write
  return { output, write, original, wasOwn }
}

/** Encodings of which a string is not text but bytes. */
const byteEncodings: ReadonlySet<unknown> = new Set(["hex", "base64", "base64url"])

const maskedCall = (chunk: string | Uint8Array, rest: ReadonlyArray<unknown>): ReadonlyArray<unknown> => {
  if (forms.length === 0) return [chunk, ...rest]
  if (typeof chunk !== "string") return [chunk instanceof Uint8Array ? maskBytes(chunk) : chunk, ...rest]
  const [encoding, ...others] = rest
  if (!byteEncodings.has(encoding)) return [mask(chunk), ...rest]
  return [maskBytes(Buffer.from(chunk, encoding as BufferEncoding)), ...others]
}

const maskBytes = (bytes: Uint8Array): Uint8Array => {
  // Latin-1 is one letter a byte: what isn't a secret comes back as it was, text or not.
  const text = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString("latin1")
  const clean = mask(text)
  return clean === text ? bytes : Buffer.from(clean, "latin1")
}
