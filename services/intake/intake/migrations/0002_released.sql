-- What is given back adds up for ever, past anything a title authorises.
alter table title_lines alter column released type numeric(26, 6);
