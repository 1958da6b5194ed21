/** How the benches of paid work print what they measured: the figure, its goal, and whether it is reached. */

export const line = (name: string, value: string, goal: string, isMet: boolean | null = null): void =>
  console.log(`${name.padEnd(34)} ${value.padEnd(52)} ${goal.padEnd(26)} ${isMet === null ? "" : isMet ? "met" : "MISSED"}`.trimEnd())

export const perSecond = (value: number): string => `${Math.round(value).toLocaleString("en-US")}/s`
export const share = (value: number, digits = 2): string => value.toFixed(digits)
export const percent = (value: number): string => `${(value * 100).toFixed(1)} %`
