// Addresses as the log shows them.
import { test } from 'tap'
import { AddressTexts } from '../../../src/server/caller/address-text.js'

function bufferOf(...bytes: number[]): Uint8Array {
  return new Uint8Array(bytes)
}

test('both kinds of address are written as people write them, however often they come', (t) => {
  const texts = new AddressTexts()
  const loopback6 = bufferOf(...Array.from({ length: 15 }, () => 0), 1)
  const mapped = bufferOf(...Array.from({ length: 10 }, () => 0), 255, 255, 203, 0, 113, 9)
  const long = bufferOf(0x20, 0x01, 0x0d, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xab, 0xcd)
  for (let i = 0; i < 2; i++) {
    t.equal(texts.of(bufferOf(203, 0, 113, 9)), '203.0.113.9')
    t.equal(texts.of(loopback6), '::1')
    t.equal(texts.of(mapped), '203.0.113.9')
    t.equal(texts.of(long), '2001:db8::abcd')
    t.equal(texts.of(bufferOf()), '')
    for (const address of [bufferOf(203, 0, 113, 9), loopback6, mapped, long, bufferOf(), bufferOf(1, 2, 3)]) {
      t.equal(texts.ofPeer(address.buffer as ArrayBuffer), texts.of(address), 'the engine’s memory is read the same')
    }
  }
  t.end()
})

test('more addresses than it keeps are written all the same', (t) => {
  const texts = new AddressTexts()
  for (let i = 0; i < 3000; i++) {
    const address = bufferOf(10, 0, i >> 8, i & 255)
    t.equal(texts.of(address), `10.0.${i >> 8}.${i & 255}`)
    t.equal(texts.ofPeer(address.buffer as ArrayBuffer), `10.0.${i >> 8}.${i & 255}`)
  }
  t.end()
})
