// Converts values of an AWS::IoT::TopicRule to the parameters of actions.
import type { Properties } from './action.ts'
import { targetName } from './aws-errors.ts'

/**
 * The name in a URL or an ARN. Slashes and colons inside a template belong to the name:
 * `…/telemetry-${topic(3)}` is the queue `telemetry-${topic(3)}`.
 */
export function nameIn(urlOrArn: unknown): string {
  const text = String(urlOrArn)
  const start = text.indexOf('${')
  return start === -1 ? targetName(text) : targetName(text.slice(0, start)) + text.slice(start)
}

/** CloudFormation accepts `"true"` for true. */
export const toBoolean = (value: unknown): boolean | undefined => (value === undefined ? undefined : String(value) === 'true')

/** Renames the keys of objects, at any depth: `ContentType` becomes `contentType`. */
export function camelCase(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(camelCase)
  if (typeof value !== 'object' || value === null) return value
  return Object.fromEntries(Object.entries(value).map(([key, inner]) => [key.charAt(0).toLowerCase() + key.slice(1), camelCase(inner)]))
}

/** Drops members that are undefined. */
export function given(values: Properties): Properties {
  return Object.fromEntries(Object.entries(values).filter(([, value]) => value !== undefined))
}
