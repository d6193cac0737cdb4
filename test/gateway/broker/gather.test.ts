import fc from 'fast-check'
import { expect, test } from 'vitest'
import { createGather, nothing } from '../../../gateway/broker/gather.ts'

const aPiece = fc.uint8Array({ maxLength: 50 }).map((bytes) => Buffer.from(bytes))

test('while nothing is wanted, what was read is passed on as it is', () => {
  const read = Buffer.from('abc')
  expect(createGather().add(read)).toBe(read)
})

test('all bytes come back in order, as soon as there are enough', () => {
  fc.assert(
    fc.property(aPiece, fc.array(aPiece), fc.nat({ max: 500 }), (rest, reads, more) => {
      const wanted = rest.length + more
      const gather = createGather()
      gather.begin(rest, wanted)
      let given = rest
      for (const read of reads) {
        given = Buffer.concat([given, read])
        const all = gather.add(read)
        expect(all).toEqual(given.length < wanted ? undefined : given)
        if (all) break
      }
    }),
  )
})

test('what is given back stays as it is, and the next read stands alone', () => {
  const gather = createGather()
  const rest = Buffer.from('abcd').subarray(0, 2)
  gather.begin(rest, 4)
  gather.add(Buffer.from('x'))
  const all = gather.add(Buffer.from('y'))
  expect(String(all)).toBe('abxy')
  expect(String(rest)).toBe('ab')
  expect(String(gather.add(Buffer.from('z')))).toBe('z')
  gather.begin(nothing, 2)
  expect(gather.add(Buffer.from('1'))).toBeUndefined()
  expect(String(gather.add(Buffer.from('2')))).toBe('12')
  expect(String(all)).toBe('abxy')
})
