/**
 * What the drill is handed: the house over a copy of the store, with its doors as the thief finds them.
 *
 * It is put together elsewhere (compose-drill.ts), out of the rooms that people go through in life; this room refuses to know
 * which these are.
 */
import type { RequestListener } from 'node:http';

import type { Canary } from './spellings.ts';

/** Who lives through the drill, in the copy and nowhere else. */
export type DrillPerson = { readonly username: string; readonly email: string; readonly password: string };

/** An app of the drill's own: its metadata, secret included. */
export type DrillClient = { readonly client_id: string; readonly client_secret: string; readonly redirect_uri: string };

/** What is looked up by a value that somebody shows, with no page around it. True: something was found. */
export type LookUps = {
  readonly session: LookUp;
  readonly interaction: LookUp;
  readonly 'half-finished sign-in': LookUp;
  readonly 'access token': LookUp;
  readonly 'refresh token': LookUp;
  readonly 'authorization code': LookUp;
  readonly 'device code': LookUp;
  readonly 'user code': LookUp;
  readonly 'pushed request': LookUp;
  readonly 'registration token': LookUp;
  readonly 'initial access token': LookUp;
  readonly 'mailed link': LookUp;
  readonly 'client secret': LookUp;
  readonly 'trusted browser': LookUp;
  readonly 'recovery code': LookUp;
};
type LookUp = (value: string) => Promise<boolean>;

export type DrilledHouse = {
  readonly issuer: string;
  readonly listener: RequestListener;
  /** Resolves when what answers left to do is done. */
  settled(): Promise<void>;
  close(): Promise<void>;
  /** Resolves to the account's id. */
  createAccount(person: DrillPerson): Promise<string>;
  issueInitialAccessToken(): Promise<string>;
  /** What the account's mails in the queue say, opened: nothing of the queue is sent. */
  mailsTo(accountId: string): Promise<readonly string[]>;
  /** The signature of a cookie, which no thief could make. */
  signCookie(name: string, value: string): string;
  /** The doors, for somebody who has this account's first factor. */
  lookUps(accountId: string): LookUps;
  /** What real people have that must be readable nowhere, of as many accounts as this at most. */
  peopleBesides(accountId: string, most: number): AsyncIterable<readonly Canary[]>;
};
