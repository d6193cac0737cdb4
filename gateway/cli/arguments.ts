// Arguments of the commands, checked once, each with a sentence for what does not fit.
import { InvalidArgumentError } from 'commander'
import { parseDuration, parseRate } from '../../lib/units.ts'

export function toMs(text: string): number {
  const ms = toMsOrNone(text)
  if (ms === 0) throw new InvalidArgumentError('a duration above zero is needed.')
  return ms
}

/** 0 is not at all: nothing is waited for. */
export function toMsOrNone(text: string): number {
  const ms = parseDuration(text)
  if (ms === undefined) throw new InvalidArgumentError('write a duration such as 500ms, 10s or 5m.')
  return ms
}

export function toPerSecond(text: string): number {
  const rate = parseRate(text)
  if (rate === undefined || rate <= 0) throw new InvalidArgumentError('write a rate such as 20/s or 10/m.')
  return rate
}

export function toWhole(text: string): number {
  const count = Number(text)
  if (text.trim() === '' || !Number.isInteger(count) || count < 0) throw new InvalidArgumentError('a whole number is needed.')
  return count
}

export function toPositive(text: string): number {
  const count = Number(text)
  if (!Number.isFinite(count) || count <= 0) throw new InvalidArgumentError('a number above zero is needed.')
  return count
}

export function toShare(text: string): number {
  const share = Number(text)
  if (text.trim() === '' || !(share >= 0 && share <= 1)) throw new InvalidArgumentError('a number from 0 to 1 is needed.')
  return share
}

export function toCount(text: string): number {
  const count = Number(text)
  if (!Number.isInteger(count) || count < 1) throw new InvalidArgumentError('a whole number above zero is needed.')
  return count
}

export function toText(text: string): string {
  if (text === '') throw new InvalidArgumentError('it must not be empty.')
  return text
}

export function toUrl(text: string): string {
  if (!URL.canParse(text) || !/^https?:/.test(text)) throw new InvalidArgumentError('write a URL such as http://127.0.0.1:4566.')
  return text.replace(/\/$/, '')
}

/** One more value of a flag that may be repeated. */
export function collect(text: string, before: readonly string[]): readonly string[] {
  return [...before, text]
}
