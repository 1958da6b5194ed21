/** Prompts as templates: the literal text is the instruction, every `${}` is data that cannot become one. */
import type { Effect } from "effect/Effect"

type Scalar = string | number | bigint | boolean | Date | null | undefined
/** What is delimited and escaped. */
export type Data = Scalar | ReadonlyArray<Data> | { readonly [field: string]: Data }

export interface Template {
  readonly literals: ReadonlyArray<string>
  readonly holes: ReadonlyArray<Hole>
}

/** The literals of a template and of its fragments, by position: no data in it. */
export interface Shape {
  readonly literals: ReadonlyArray<string>
  readonly nested: ReadonlyArray<readonly [hole: number, shape: Shape]>
}

/** A part of a template that may appear zero times or more. `shape` is known even when it does not appear at all. */
class Fragment {
  readonly shape: Shape
  readonly shown: ReadonlyArray<Template>
  constructor(shape: Shape, shown: ReadonlyArray<Template>) {
    this.shape = shape
    this.shown = shown
  }
}

/** One message of a prompt. */
export interface Message extends Template {
  readonly role: "system" | "user"
}

type Literals = TemplateStringsArray
/**
 * What `${}` takes: data, or a fragment, whose literals belong to the prompt version. Write a condition with `given`:
 * `cond ? given(a)`…` : given(b)`…`` compiles, but then the digest depends on the data.
 */
type Hole = Data | Fragment

/** Holes as they are, or the sentence that says what to do instead: the compiler prints it. */
type Filled<Holes extends ReadonlyArray<unknown>> = {
  readonly [K in keyof Holes]: Holes[K] extends Hole
    ? Holes[K]
    : Holes[K] extends Effect<any, any, any>
      ? "An Effect is not data yet: yield* it first"
      : Holes[K] extends PromiseLike<any>
        ? "A promise is not data yet: await it first"
        : Holes[K] extends Message
          ? "A message can't stand in a message: list both"
          : Holes[K] extends (...args: never) => unknown
            ? "A function is not data: call it, or write given(value)`…`"
            : "Data is text, numbers, dates, and lists and plain objects of them"
}

/** The instruction of the author: comes first, so that providers can cache it. */
export const system = <Holes extends ReadonlyArray<unknown>>(literals: Literals, ...holes: Filled<Holes>): Message =>
  message("system", literals, holes)

/** What is asked of the model about one item. */
export const user = <Holes extends ReadonlyArray<unknown>>(literals: Literals, ...holes: Filled<Holes>): Message =>
  message("user", literals, holes)

/** `Filled` proved each hole; the compiler can't see that through a mapped type. */
const message = (role: Message["role"], literals: Literals, holes: ReadonlyArray<unknown>): Message => ({
  role,
  literals,
  holes: holes as ReadonlyArray<Hole>
})

/** A hole of a fragment: data, a nested fragment, or a function of the value, which may only return data: every literal stays known. */
type HoleOf<Value> = Hole | ((value: Value) => Data)
type FragmentTag<Value> = (literals: Literals, ...holes: ReadonlyArray<HoleOf<Value>>) => Fragment

const fragment =
  <Value>(values: ReadonlyArray<Value>): FragmentTag<Value> =>
  (literals, ...holes) =>
    new Fragment(
      { literals, nested: nestedShapes(holes) },
      values.map((value) => ({ literals, holes: holes.map((hole) => (typeof hole === "function" ? hole(value) : hole)) }))
    )

/** The fragment appears unless the value is `false`, `null` or `undefined`: given(mail.cc)`Copied to ${(cc) => cc}.` */
export const given = <Value>(value: Value): FragmentTag<Exclude<Value, false | null | undefined>> =>
  fragment(value === false || value === null || value === undefined ? [] : [value as Exclude<Value, false | null | undefined>])

/** The fragment appears once a value: each(mail.files)`- ${(file) => file.name}\n` */
export const each = <Value>(values: ReadonlyArray<Value>): FragmentTag<Value> => fragment(values)

const nestedShapes = (holes: ReadonlyArray<unknown>): Shape["nested"] =>
  holes.flatMap((hole, index) => (hole instanceof Fragment ? [[index, hole.shape] as const] : []))

/** Literals and structure of a prompt, never its data: what a prompt version is made of. */
export const promptShape = (messages: ReadonlyArray<Message>): ReadonlyArray<Shape & { readonly role: Message["role"] }> =>
  messages.map(({ role, literals, holes }) => ({ role, literals: [...literals], nested: nestedShapes(holes) }))

const escapeData = (text: string): string =>
  /[&<>]/.test(text) ? text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;") : text

const renderData = (data: Data): string =>
  typeof data === "string"
    ? data
    : data instanceof Date
      ? // An invalid date has no ISO text, and must not stop the run.
        Number.isNaN(data.getTime())
        ? String(data)
        : data.toISOString()
      : typeof data === "object" && data !== null
        ? JSON.stringify(data, (_, value: unknown) => (typeof value === "bigint" ? String(value) : value))
        : String(data ?? "")

/** The text for the model: data stands in `<data>`, and cannot close it because `<` is escaped (SEC-2). */
export const render = ({ literals, holes }: Template): string => {
  let text = literals[0] ?? ""
  for (let index = 0; index < holes.length; index++) {
    const hole = holes[index]
    text += hole instanceof Fragment ? hole.shown.map(render).join("") : `<data>${escapeData(renderData(hole))}</data>`
    text += literals[index + 1] ?? ""
  }
  return text
}

/** The values that stand in a template's holes, in order, those of shown fragments included: what an embedded model computes on. */
export const dataOf = ({ holes }: Template): ReadonlyArray<Data> =>
  holes.flatMap((hole) => (hole instanceof Fragment ? hole.shown.flatMap(dataOf) : [hole]))
