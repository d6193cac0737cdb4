import { expect, test } from 'vitest'
import { formatJoda } from '../../../../../gateway/rules/sql/time/joda.ts'
import { findZone } from '../../../../../gateway/rules/sql/time/zone.ts'

const format = (pattern: string, ms: number, zone: string) => formatJoda(pattern, ms, findZone(zone)!)

test.each([
  ['yyyy-MM-dd HH:mm:ss.SSS ZZ', 1585903518123, 'Europe/Paris', '2020-04-03 10:45:18.123 +02:00'],
  ['z zzzz Z ZZZ', 1585903518123, 'Europe/Paris', 'CEST Central European Summer Time +0200 Europe/Paris'],
  ['z zzzz', 1585903518123, 'Asia/Tokyo', 'JST Japan Standard Time'],
  ['z Z', 0, '+05:30', '+05:30 +0530'],
  ['z', 0, 'UTC', 'UTC'],
  ['xxxx ww e E YYYY CC K k SSSSSS', 1450440300000, 'UTC', '2015 51 5 Fri 2015 20 0 12 000000'],
  ['xxxx-ww', 1577664000000, 'UTC', '2020-01'],
  ["h 'o''clock' a", 1450440300000, 'America/New_York', "7 o'clock AM"],
  ['yyyy Y G', -1e14, 'UTC', '-1199 1200 BC'],
  ['yy MMM d', 0, 'UTC', '70 Jan 1'],
])('%s of %d in %s', (pattern, ms, zone, text) => {
  expect(format(pattern, ms, zone)).toBe(text)
})

test.each(['b', 'yyyy-bb', 'A'])('%s is no pattern', (pattern) => {
  expect(format(pattern, 0, 'UTC')).toBeUndefined()
})

test.each(['Nowhere', 'europe/paris', '+25:00', '', 'UTC+', '../etc'])('%j is no zone', (id) => {
  expect(findZone(id)).toBeUndefined()
})
