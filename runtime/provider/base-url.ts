/** Where an account's calls go, as the SDKs have it: OpenAI's base URL ends in its version, Anthropic's doesn't. */
import * as Result from "effect/Result"

import type { Model } from "../../dsl/index.ts"
import type { AccountEntry } from "./account-file.ts"
import type { Environment } from "./environment.ts"

const defaults = {
  openai: { variable: "OPENAI_BASE_URL", url: "https://api.openai.com/v1" },
  anthropic: { variable: "ANTHROPIC_BASE_URL", url: "https://api.anthropic.com" }
} as const

/** Without a slash at its end. Fails for what isn't a plain http URL, and for OpenAI's and Anthropic's without TLS beyond this machine (SEC-3). */
export const baseUrlOf = (
  { engine, baseUrl }: Model,
  entry: AccountEntry | undefined,
  environment: Environment
): Result.Result<string, string> => {
  if (engine === "openai" || engine === "anthropic") {
    const { variable, url } = defaults[engine]
    if (entry?.baseUrl !== undefined) return check(entry.baseUrl, "its baseUrl in the accounts file", true)
    const told = environment.get(variable)
    return told === null ? Result.succeed(url) : check(told, variable, true)
  }
  const told = baseUrl ?? entry?.baseUrl
  return told === undefined ? Result.fail("no base URL: give the model its baseUrl") : check(told, "its baseUrl", false)
}

/** Never quotes the URL where it may hold a password. */
const check = (text: string, source: string, needsTls: boolean): Result.Result<string, string> => {
  const url = URL.parse(text)
  if (url === null || (url.protocol !== "https:" && url.protocol !== "http:"))
    return Result.fail(`${source} is no http or https URL. Write it like https://example.com/v1`)
  if (url.username !== "" || url.password !== "")
    return Result.fail(`${source} holds a user or password. Take it out: the key is looked up by the account's name`)
  if (url.search !== "" || url.hash !== "")
    return Result.fail(`${source} ends in a query (? or #), where the API's path is to be added. Take it out`)
  if (needsTls && url.protocol === "http:" && !isLoopback(url.hostname))
    return Result.fail(`${source} is ${url.origin}: without TLS, key and data would cross the network in clear. Write https://${url.host}`)
  return Result.succeed(url.origin + url.pathname.replace(/\/+$/, ""))
}

/** As `URL` writes host names: in lower case, numbers of IPv4 in four parts, IPv6 in brackets. */
export const isLoopback = (host: string): boolean =>
  host === "localhost" || host.endsWith(".localhost") || host === "[::1]" || /^127\.\d+\.\d+\.\d+$/.test(host)
