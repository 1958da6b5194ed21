import { existsSync } from "node:fs"
import { mkdtemp, rm, writeFile } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { pathToFileURL } from "node:url"

import { chromium, type Browser } from "playwright-core"
import { afterAll, beforeAll, describe, expect, it } from "vitest"

import { renderPage } from "../../../runtime/report/page.ts"
import type { RunReport } from "../../../runtime/report/run-report.ts"
import { emptyReport, hostileReport, largeReport, lossyReport, sampleReport } from "./sample-report.ts"

const places = [
  "/usr/bin/chromium",
  "/usr/bin/chromium-browser",
  "/usr/bin/google-chrome",
  "/usr/bin/google-chrome-stable",
  "/snap/bin/chromium",
  "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome",
  "/Applications/Chromium.app/Contents/MacOS/Chromium"
]
const executablePath = [process.env["CHROMIUM_PATH"] ?? "", ...places].find((place) => existsSync(place))
const why = `no Chromium at ${places.join(", ")}: install one or set CHROMIUM_PATH`
if (executablePath === undefined) process.stderr.write(`The report's page is not looked at in a browser: ${why}\n`)

const quiet = ["--no-first-run", "--disable-background-networking", "--disable-component-update", "--disable-sync"]

// The page has no types for the code that runs in it, so that code is text.
const inBrowser = {
  widths: `[document.documentElement.scrollWidth, window.innerWidth]`,
  plots: `[...document.querySelectorAll("svg")].filter((svg) => svg.checkVisibility()).map((svg) => {
    const { width, height } = svg.getBoundingClientRect()
    const marks = [...svg.querySelectorAll("path")].filter((path) => path.getBBox().width > 0 || path.getBBox().height > 0).length
    const scale = svg.getAttribute("preserveAspectRatio") === "none" ? 1 : width / svg.viewBox.baseVal.width
    const sizes = [...svg.querySelectorAll("text")].map((text) => scale * parseFloat(getComputedStyle(text).fontSize))
    return { label: svg.getAttribute("aria-label"), title: svg.querySelector("title").textContent, width, height, marks, text: Math.min(99, ...sizes) }
  })`,
  contrasts: `(() => {
    const light = (colour) => colour.match(/[0-9.]+/g).slice(0, 3).map((part) => part / 255).map((part) => part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4)
      .reduce((sum, part, index) => sum + part * [0.2126, 0.7152, 0.0722][index], 0)
    const against = (one, other) => (Math.max(one, other) + 0.05) / (Math.min(one, other) + 0.05)
    const paper = light(getComputedStyle(document.body).backgroundColor)
    const colours = [...document.querySelectorAll("h1, p.lead, .soft, td, dt, dd, svg text")].map((element) => element.ownerSVGElement ? getComputedStyle(element).fill : getComputedStyle(element).color)
    return { paper, least: Math.min(...colours.map((colour) => against(light(colour), paper))) }
  })()`,
  foreign: `[...document.querySelectorAll("script, img, iframe, marquee, a, form, object")].map((element) => element.outerHTML).concat(
    [...document.querySelectorAll("*")].flatMap((element) => [...element.attributes]).filter((attribute) => attribute.name.startsWith("on")).map((attribute) => attribute.name),
    typeof hacked === "undefined" ? [] : ["hacked"])`
}

interface Plot {
  readonly label: string
  readonly title: string
  readonly width: number
  readonly height: number
  readonly marks: number
  readonly text: number
}

describe.skipIf(executablePath === undefined)(`the page in a browser${executablePath === undefined ? `, skipped: ${why}` : ""}`, () => {
  let browser: Browser
  let folder: string

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), "report-page-"))
    browser = await chromium.launch({
      ...(executablePath === undefined ? {} : { executablePath }),
      args: ["--no-sandbox", "--disable-gpu", ...quiet]
    })
  })
  afterAll(async () => {
    await browser?.close()
    await rm(folder, { recursive: true, force: true })
  })

  const open = async (report: RunReport, width: number, colorScheme: "light" | "dark" = "light") => {
    const url = pathToFileURL(join(folder, "report.html")).href
    await writeFile(join(folder, "report.html"), renderPage(report))
    const context = await browser.newContext({ viewport: { width, height: 900 }, colorScheme })
    const complaints: Array<string> = []
    const requests: Array<string> = []
    await context.route("**", (route) => {
      requests.push(route.request().url())
      return route.request().url() === url ? route.continue() : route.abort()
    })
    const page = await context.newPage()
    page.on("console", (message) => complaints.push(message.text()))
    page.on("pageerror", (error) => complaints.push(String(error)))
    await page.goto(url)
    const look = async <Seen>(code: string) => (await page.evaluate(code)) as Seen
    const seen = {
      widths: await look<readonly [number, number]>(inBrowser.widths),
      plots: await look<ReadonlyArray<Plot>>(inBrowser.plots),
      contrasts: await look<{ readonly paper: number; readonly least: number }>(inBrowser.contrasts),
      foreign: await look<ReadonlyArray<string>>(inBrowser.foreign),
      complaints,
      requests: requests.filter((request) => request !== url)
    }
    await context.close()
    return seen
  }

  it.each([400, 760, 1400])("[OPS-4] shows every plot, legibly and without sideways scrolling, at %i px", async (width) => {
    const { widths, plots, complaints, requests } = await open(sampleReport, width)
    expect(complaints).toEqual([])
    expect(requests).toEqual([])
    expect(widths[0]).toBeLessThanOrEqual(widths[1])
    expect(plots.map(({ label }) => label.split(" ").slice(0, 2).join(" "))).toEqual([
      "What became",
      "Items finished",
      "What stopped",
      "Items and",
      "Confidence of",
      "Confidence of"
    ])
    for (const plot of plots) {
      expect(plot.title).toBe(plot.label)
      expect(plot.width).toBeGreaterThan(300)
      expect(plot.height).toBeGreaterThan(20)
      expect(plot.marks).toBeGreaterThan(3)
      expect(plot.text).toBeGreaterThan(10.5)
    }
  })

  it.each(["light", "dark"] as const)("[OPS-4] can be read in %s", async (scheme) => {
    const { contrasts } = await open(sampleReport, 1400, scheme)
    expect(contrasts.paper > 0.5).toBe(scheme === "light")
    expect(contrasts.least).toBeGreaterThan(4.5)
  })

  it.each([400, 1400])("[OPS-4] stays whole at %i px when every text is hostile", async (width) => {
    const { widths, foreign, complaints, requests } = await open(hostileReport, width)
    expect({ foreign, complaints, requests }).toEqual({ foreign: [], complaints: [], requests: [] })
    expect(widths[0]).toBeLessThanOrEqual(widths[1])
  })

  it.each([
    ["zero items", emptyReport],
    ["a gap", lossyReport],
    ["200 partitions", largeReport]
  ])("[OPS-4] fits a phone with %s", async (_, report) => {
    const { widths, complaints } = await open(report, 400)
    expect(complaints).toEqual([])
    expect(widths[0]).toBeLessThanOrEqual(widths[1])
  })
})
