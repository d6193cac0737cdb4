// Fields that several schemas of the fleet share.
import { z } from 'zod'
import { parseDuration } from '../lib/units.ts'

/** `"10s"` in the file, milliseconds in the program. */
export const duration = z.string().transform((text, context) => {
  const ms = parseDuration(text)
  if (ms !== undefined && ms > 0) return ms
  context.addIssue({ code: 'custom', message: `expected a duration such as "500ms", "10s" or "5m", got "${text}"` })
  return z.NEVER
})

export const chance = z.number().min(0).max(1)
