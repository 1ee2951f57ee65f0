"""EDI++ (.epp), the exchange format of InsERT's programs: read into what the JSON API takes, written back."""
