import { expect, test } from 'vitest'
import { parseJava } from '../../../../../gateway/rules/sql/time/java.ts'

test.each([
  ['20200403094518', 'yyyyMMddHHmmss', '2020-04-03T09:45:18.000Z'],
  ['20200403094518123', 'yyyyMMddHHmmssSSS', '2020-04-03T09:45:18.123Z'],
  ['2020-04-03T09:45:18+02:00', "yyyy-MM-dd'T'HH:mm:ssXXX", '2020-04-03T07:45:18.000Z'],
  ['2020-04-03T09:45:18Z', "yyyy-MM-dd'T'HH:mm:ssX", '2020-04-03T09:45:18.000Z'],
  ['4/3/20 9:45 PM', 'M/d/yy h:mm a', '2020-04-03T21:45:00.000Z'],
  ['Fri, 3 Apr 2020 09:45:18 GMT', 'EEE, d MMM yyyy HH:mm:ss z', '2020-04-03T09:45:18.000Z'],
  ['2020-02-30', 'yyyy-MM-dd', '2020-02-29T00:00:00.000Z'],
  ['2020-04-03', 'yyyy-MM-dd[ HH:mm]', '2020-04-03T00:00:00.000Z'],
  ['2020-04-03 10:00', 'yyyy-MM-dd[ HH:mm]', '2020-04-03T10:00:00.000Z'],
  ['2020-04-03 9:45:18 PST', 'yyyy-MM-dd H:mm:ss z', '2020-04-03T16:45:18.000Z'],
  ['2020-04-03 09:45:18 +0200', 'yyyy-MM-dd HH:mm:ss Z', '2020-04-03T07:45:18.000Z'],
  ['2020-094', 'yyyy-DDD', '2020-04-03T00:00:00.000Z'],
  ['2020-03-29 02:30 Europe/Paris', 'yyyy-MM-dd HH:mm VV', '2020-03-29T01:30:00.000Z'],
  ['2020-10-25 02:30 Europe/Paris', 'yyyy-MM-dd HH:mm VV', '2020-10-25T00:30:00.000Z'],
  ['2020-04-03 24:00', 'yyyy-MM-dd HH:mm', '2020-04-04T00:00:00.000Z'],
  ["5 o'clock 2020-01-01", "h 'o''clock' yyyy-MM-dd", '2020-01-01T05:00:00.000Z'],
])('%s by %s', (text, pattern, instant) => {
  expect(new Date(parseJava(text, pattern)!).toISOString()).toBe(instant)
})

test.each([
  ['2020-13-01', 'yyyy-MM-dd'],
  ['2020-04-03 x', 'yyyy-MM-dd'],
  ['03 Apr 2020', 'dd MMMM yyyy'],
  ['2020', 'yyyy'],
  ['10:00', 'HH:mm'],
  ['2020-04-03 25:00', 'yyyy-MM-dd HH:mm'],
  ['2020-04-03', "yyyy-MM-dd'open"],
  ['2020-04-03', 'bbbb-MM-dd'],
  ['2020-04-03 Nowhere/City', 'yyyy-MM-dd VV'],
  ['', 'yyyy-MM-dd'],
])('%s by %s is Undefined', (text, pattern) => {
  expect(parseJava(text, pattern)).toBeUndefined()
})
