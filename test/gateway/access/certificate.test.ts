import { X509Certificate } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import { certificateId, readCertificate } from '../../../gateway/access/certificate.ts'

const pem = readFileSync(new URL('../../cases/certificates/rich.pem', import.meta.url))

test('the id is the SHA-256 of the DER, from PEM and from DER', () => {
  const { raw, fingerprint256 } = new X509Certificate(pem)
  const id = fingerprint256.replaceAll(':', '').toLowerCase()
  expect(readCertificate(pem).id).toBe(id)
  expect(readCertificate(raw).id).toBe(id)
  expect(certificateId(raw)).toBe(id)
})

test('names under AWS’s names, all values, in order', () => {
  const { facts, notBefore, notAfter } = readCertificate(pem)
  expect(facts.Subject).toEqual({
    CommonName: ['first', 'second'],
    Organization: ['Acme, Inc.'],
    Country: ['CH'],
    OrganizationalUnit: ['x=y+z'],
    'AlternativeName.DNSName': ['a.example', 'b.example'],
    'AlternativeName.IPAddress': ['192.0.2.1'],
    'AlternativeName.UniformResourceIdentifier': ['urn:x'],
    'AlternativeName.RFC822Name': ['a@b.example'],
  })
  expect(facts.Issuer?.CommonName).toEqual(['first', 'second'])
  expect(facts.SerialNumber).toMatch(/^[0-9a-f]+$/)
  expect(notAfter - notBefore).toBe(3_650 * 86_400_000)
})

test('what is no certificate throws', () => {
  expect(() => readCertificate(Buffer.from('nonsense'))).toThrow()
})
