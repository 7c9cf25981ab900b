/** A store as a thief has it: tables, rows and cells, whatever they mean. */

export type Cell = string | number | bigint | Uint8Array | null;

export type SpoiltRow = {
  /** Grows with every row that is added; null in a table that has none. */
  readonly rowid: number | null;
  readonly cells: Readonly<Record<string, Cell>>;
};

export type SpoiltTable = { readonly name: string; readonly rows: number; readonly lastRowid: number | null };

export type Spoils = {
  /** Every table, by name, with its largest rowid. */
  tables(): readonly SpoiltTable[];
  /** Every row of a table, one at a time. */
  rows(table: string): Iterable<SpoiltRow>;
  close(): void;
};
