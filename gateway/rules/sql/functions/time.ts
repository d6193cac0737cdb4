// Times as text and back: Joda-Time patterns one way, java.time patterns the other [AWS iot-sql-functions].

import { parseJava } from '../time/java.ts'
import { formatJoda } from '../time/joda.ts'
import { findZone, maxInstant } from '../time/zone.ts'
import { toIndex, toText } from '../value.ts'
import type { FunctionTable } from './table.ts'

/** Longer patterns are not valid (U-37). */
const maxPatternLength = 256

export const time = {
  parse_time: {
    params: 'pattern, milliseconds [, zone]',
    arity: [2, 3],
    dependsOn: 'arguments',
    summary: 'An instant as text, by a Joda-Time pattern, in UTC or a zone such as America/Belize or +01:00. English words.',
    examples: [
      ["parse_time('yyyy.MM.dd G ''at'' HH:mm:ss z', 100000000, 'America/Belize')", "'1970.01.01 AD at 21:46:40 CST'"],
      ["parse_time('EEEE, dd MMMM yyyy', 1450396800000)", "'Friday, 18 December 2015'"],
      ["parse_time('yyyy', 0, 'Nowhere')", 'undefined'],
      ["parse_time('b', 0)", 'undefined'],
    ],
    since: '2016-03-23',
    call: ([pattern, milliseconds, zoneId = 'UTC']) => {
      const format = toText(pattern)
      const ms = toIndex(milliseconds)
      const zone = typeof zoneId === 'string' ? findZone(zoneId) : undefined
      if (format === undefined || format.length > maxPatternLength || ms === undefined || zone === undefined) return undefined
      return Math.abs(ms) > maxInstant ? undefined : formatJoda(format, ms, zone)
    },
  },
  time_to_epoch: {
    params: 'text, pattern',
    arity: [2, 2],
    dependsOn: 'arguments',
    summary: 'The milliseconds since 1970 of a time, read by a java.time pattern; UTC where the text has no zone.',
    examples: [
      ["time_to_epoch('2020-04-03 09:45:18 UTC+01:00', 'yyyy-MM-dd HH:mm:ss VV')", '1585903518000'],
      ["time_to_epoch('18 December 2015', 'dd MMMM yyyy')", '1450396800000'],
      ["time_to_epoch('2007-12-03 10:15:30.592 America/Los_Angeles', 'yyyy-MM-dd HH:mm:ss.SSS z')", '1196705730592'],
      ["time_to_epoch('yesterday', 'yyyy-MM-dd')", 'undefined'],
    ],
    since: '2016-03-23',
    call: ([value, pattern]) => {
      const source = toText(value)
      const format = toText(pattern)
      if (source === undefined || format === undefined || format.length > maxPatternLength) return undefined
      return parseJava(source, format)
    },
  },
} as const satisfies FunctionTable
